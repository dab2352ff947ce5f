"""Gateway: the public entry point. It authenticates, limits and forwards requests, and owns no data."""
