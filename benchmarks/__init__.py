"""Benchmarks of a complete system through its gateway, compared with floors measured on the same machine."""
