"""
A small Django project whose files are in a fileserve server.
"""
