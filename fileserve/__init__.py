"""
Serves one tree of folders over HTTP: albums as ZIP archives made while they are sent, in one Twisted process.
"""

__version__ = "0.1.0"
