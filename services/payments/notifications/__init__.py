"""Notifications of banks: authentication, effect, and their record for operators."""
