"""Free ports, stored in the data folder so that a system keeps its addresses across restarts."""

import random
import socket
import sys
from collections.abc import Sequence
from typing import Final

from deploy.failure import LaunchError
from launcher.data_dir import DataDir

FILE: Final = "ports.json"
HOST: Final = "127.0.0.1"
DEFAULT_GATEWAY_PORT: Final = 8000

#: Below the range of ephemeral ports, so that no outgoing connection takes a port between the probe and the bind.
RANGE: Final = range(20_000, 32_000)
ATTEMPTS: Final = 200


class Claims:
    """Ports reserved by this process, also while no server listens on them.

    granian listens with SO_REUSEPORT: two systems that find the same port free at the same time would both get it, and
    the kernel would distribute requests between them. A claim is a name in Linux's abstract socket namespace: only one
    process can hold it, and the kernel releases it when the process exits.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def take(self, port: int) -> bool:
        """Claim a port; return False if a server listens on it or another process has claimed it."""
        if port in self._held:
            return True
        if not is_free(port):
            return False
        if sys.platform != "linux":
            return True
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0fastcheck-port-{port}")
        except OSError:
            claim.close()
            return False
        self._held[port] = claim
        return True

    def release(self) -> None:
        """Release all claims."""
        for claim in self._held.values():
            claim.close()
        self._held.clear()


def choose(data_dir: DataDir, names: Sequence[str], *, gateway: int | None, claims: Claims) -> dict[str, int]:
    """Return a claimed free port for each name: the stored one if it is free, else a random one.

    ``gateway`` is the port that the user requested, if any; raise LaunchError if it is taken.
    """
    remembered = data_dir.read_json(FILE) or {}
    chosen: dict[str, int] = {}
    for name in names:
        preferred = remembered.get(name)
        if name == "gateway":
            preferred = gateway or preferred or DEFAULT_GATEWAY_PORT
            if gateway is not None and not claims.take(gateway):
                raise LaunchError(
                    f"Port {gateway} is taken by another program: free it, or choose another with --port."
                )
        chosen[name] = (
            preferred
            if preferred and preferred not in chosen.values() and claims.take(preferred)
            else _any(chosen, claims)
        )
    data_dir.write_json(FILE, chosen)
    return chosen


def is_free(port: int) -> bool:
    """Return whether a server can listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _any(taken: dict[str, int], claims: Claims) -> int:
    for _ in range(ATTEMPTS):
        port = random.choice(RANGE)  # noqa: S311 (not a secret; randomness keeps systems that start together apart)
        if port not in taken.values() and claims.take(port):
            return port
    raise LaunchError(f"No free port was found between {RANGE.start} and {RANGE.stop}.")
