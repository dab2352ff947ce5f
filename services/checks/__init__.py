"""Checks: creates, accepts, cancels and expires checks. It decides about money; balance executes."""
