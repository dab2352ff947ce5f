"""Every instant at which a process can die, found by running, and died at one after the other."""
