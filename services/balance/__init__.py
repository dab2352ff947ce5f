"""Balance: the ledger. It executes commands and events, and calls no other service."""
