"""The protocols of the real banks, seen from the bank's side. Nothing here is shared with the adapters that call it."""
