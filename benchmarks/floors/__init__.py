"""Floors: minimal programs with the same libraries, to which FastCheck's figures are compared."""
