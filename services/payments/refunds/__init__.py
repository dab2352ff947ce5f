"""Money back: from the user's balance, then to the card."""
