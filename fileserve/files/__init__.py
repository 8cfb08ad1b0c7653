"""
Taking files in and giving them out: the file API.
"""
