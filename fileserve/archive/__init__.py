"""
A folder as a ZIP stream: the format, its layout, what is sent when, and the route.
"""
