"""The ``fastcheck`` command: starts, shows, audits and stops a FastCheck system."""
