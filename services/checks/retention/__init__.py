"""Deletion of records whose retention period has ended."""
