"""Caddy as the public edge: its configuration, and the environment variables that this needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

CONFIGURATION: Final = Path(__file__).with_name("Caddyfile")

#: The certificate of the private authority, in the folder for certificates.
AUTHORITY: Final = "pki/authorities/local/root.crt"


def private_environment(*, sites: Sequence[str], gateway: str, storage: str) -> dict[str, str]:
    """Return the variables of the configuration for certificates of a private authority.

    ``sites`` are URLs; ``gateway`` is the ``host:port`` of HAProxy for the PROXY protocol.
    """
    return {
        "EDGE_SITES": ", ".join(sites),
        "EDGE_GATEWAY": gateway,
        "EDGE_STORAGE": storage,
        # Port 80 belongs to the machine.
        "EDGE_OPTIONS": "auto_https disable_redirects",
        "EDGE_TLS": "tls internal",
    }
