"""What the tests share: real servers, fresh databases, whole systems, and waiting with a deadline."""
