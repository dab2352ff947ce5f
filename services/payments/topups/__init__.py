"""Top-ups: start one, open its payment page, and show it to its user and to operators."""
