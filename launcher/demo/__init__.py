"""The main scenario, run by two users over the public HTTP API of a running system."""
