"""HTTP: the server side that every service builds on, and the client between services."""
