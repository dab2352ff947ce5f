"""The HTTP client between services."""
