"""Refunds: debit the user's balance, then refund the payment to the card."""
