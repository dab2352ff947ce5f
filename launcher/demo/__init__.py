"""The main job, played by two people over the public HTTP API of a running system."""
