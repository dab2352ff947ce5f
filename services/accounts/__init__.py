"""Accounts: users and their sessions."""
