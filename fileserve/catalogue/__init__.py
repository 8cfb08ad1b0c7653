"""
What is known about stored files: the catalogue's schema, its migrations, and the facts it remembers.
"""
