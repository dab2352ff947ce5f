"""The sandbox bank: speaks the protocols of the real ones from their side, and never runs in production."""
