"""
The steps that bring a catalogue from any earlier schema to the newest one, run by Alembic.
"""
