"""
Where a picture says it was taken, and how that is taken out of it without touching anything else.
"""
