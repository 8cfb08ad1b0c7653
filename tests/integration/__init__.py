"""
Tests of the whole program from outside: real processes, sockets, readers and clients.
"""
