"""
Parts that run in other people's programs. None of them imports the rest of fileserve, or Twisted.
"""
