"""The lists of active and of ended checks."""
