"""Webhooks: the events of users, delivered to URLs that they register."""
