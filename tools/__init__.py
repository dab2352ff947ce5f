"""Programs for the development of FastCheck."""
