"""
Side by side with the peers: ``python -m benchmarks`` runs every measure, ``python -m benchmarks NAME`` one.
"""
