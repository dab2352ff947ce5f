"""Free ports, remembered in the data folder so that a system comes back where it was."""

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

#: Below the range from which kernels take the ports of outgoing connections: what is free when we look stays free.
RANGE: Final = range(20_000, 32_000)
ATTEMPTS: Final = 200


class Claims:
    """Ports that a system of ours has chosen, also before and between its servers' listening there.

    granian listens with SO_REUSEPORT: two systems that find the same port free at the same moment would both get it,
    and the kernel would hand each request to one of them by chance. A claim is a name in Linux' abstract socket
    space: one process can have it, and it is gone with that process however that ends.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def take(self, port: int) -> bool:
        """Claim a port that is free; False when somebody listens there or another system has claimed it."""
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
        """Give all of them up."""
        for claim in self._held.values():
            claim.close()
        self._held.clear()


def choose(data_dir: DataDir, names: Sequence[str], *, gateway: int | None, claims: Claims) -> dict[str, int]:
    """A free port for each name, claimed; ``gateway`` is what the user asked for, if he did.

    Raises LaunchError when that one is taken. Every other port may change between two starts.
    """
    remembered = data_dir.read_json(FILE) or {}
    chosen: dict[str, int] = {}
    for name in names:
        wanted = remembered.get(name)
        if name == "gateway":
            wanted = gateway or wanted or DEFAULT_GATEWAY_PORT
            if gateway is not None and not claims.take(gateway):
                raise LaunchError(
                    f"Port {gateway} is taken by another program: free it, or choose another with --port."
                )
        chosen[name] = (
            wanted if wanted and wanted not in chosen.values() and claims.take(wanted) else _any(chosen, claims)
        )
    data_dir.write_json(FILE, chosen)
    return chosen


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _any(taken: dict[str, int], claims: Claims) -> int:
    for _ in range(ATTEMPTS):
        port = random.choice(RANGE)  # noqa: S311 (no secret; chance keeps two systems that start at once apart)
        if port not in taken.values() and claims.take(port):
            return port
    raise LaunchError(f"No free port was found between {RANGE.start} and {RANGE.stop}.")
