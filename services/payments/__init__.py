"""Payments: top-ups at banks, their refunds, and reconciliation with the banks."""
