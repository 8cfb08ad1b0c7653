"""
One module for each measure; each has ``measure(bench)``, which gives the tables of that measure.
"""
