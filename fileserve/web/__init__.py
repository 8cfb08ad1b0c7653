"""
The site: all routes in one table, pages, and how errors are answered.
"""
