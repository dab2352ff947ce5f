"""Checks: the life of a check, from the wish for one to its one end. It decides; balance obeys."""
