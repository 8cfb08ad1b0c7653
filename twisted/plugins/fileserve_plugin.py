"""
Makes ``twist fileserve`` known to Twisted: only strings, so that listing plug-ins imports nothing of ours.
"""

from twisted.application.service import ServiceMaker

fileserve = ServiceMaker(
    "fileserve",
    "fileserve.tap",
    "Serve a tree of folders over HTTP, each folder also as a ZIP archive.",
    "fileserve",
)
