"""What came in the name of a bank, kept as it came."""
