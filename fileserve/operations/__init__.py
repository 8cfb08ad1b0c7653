"""
What the operator's tools want to hear: the service manager, health checks, metrics.
"""
