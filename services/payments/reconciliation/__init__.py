"""Reconciliation of the stored payments with the payments at a bank."""
