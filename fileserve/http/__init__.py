"""
HTTP that any feature needs: ranges, conditions, dispositions, proxies, and sending.
"""
