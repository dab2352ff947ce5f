"""One file per command of ``fastcheck``."""
