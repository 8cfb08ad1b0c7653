"""
The project's app: films, with files.
"""
