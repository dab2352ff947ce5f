"""Creating, previewing, accepting, cancelling and expiring checks."""
