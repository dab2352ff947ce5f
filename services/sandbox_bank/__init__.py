"""The sandbox bank: the server side of the real banks' protocols, for development and tests only."""
