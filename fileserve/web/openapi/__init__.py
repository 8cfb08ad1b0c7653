"""
The description of the API (OpenAPI 3.1), made of small functions: for programs as JSON, for people as a page.
"""
