"""Gateway: the one door to the outside. It knows who calls, bounds what comes in, and hands it on; it owns no data."""
