"""
The tests of fileserve: one module for each module of the package.
"""
