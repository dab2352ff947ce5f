"""Users whose events a service follows that does not get every event."""
