"""
How the tables came to be, as Django wrote it.
"""
