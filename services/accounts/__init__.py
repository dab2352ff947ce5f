"""Accounts: who a user is, and which sessions are alive."""
