"""Our payments beside the bank's: what is missing on which side, and what differs."""
