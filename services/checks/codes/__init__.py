"""Secret codes: encryption, keys, attempts at them, new codes and QR codes."""
