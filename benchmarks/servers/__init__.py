"""
The peers that are ours to write: small aiohttp servers, each run as a program of its own.
"""
