"""
The peers that are ours to write: small servers, and a client of S3, each run as a program of its own.
"""
