"""The ``fastcheck`` command: starts, shows, checks and stops a whole FastCheck system."""
