"""Balance: the ledger. It obeys commands and events, decides nothing and calls nobody."""
