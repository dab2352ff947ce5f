"""The banks: the port in ``base``, one adapter per bank, and the HTTP client that the adapters share."""
