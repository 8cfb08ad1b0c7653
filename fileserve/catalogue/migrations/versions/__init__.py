"""
One module for each step; the number in front is the order.
"""
