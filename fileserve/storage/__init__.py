"""
Where bytes are: names that are safe to look up, and stores that list and read.
"""
