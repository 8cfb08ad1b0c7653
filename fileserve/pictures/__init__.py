"""
What pictures are: their formats, what a camera wrote into them, and decoding them where it can do no harm.
"""
