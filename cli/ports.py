"""Free ports, remembered in the data folder so that a system comes back where it was."""

import random
import socket
from collections.abc import Sequence
from typing import Final

from cli.data_dir import DataDir
from cli.failure import LaunchError

FILE: Final = "ports.json"
HOST: Final = "127.0.0.1"
DEFAULT_GATEWAY_PORT: Final = 8000

#: Below the range from which kernels take the ports of outgoing connections: what is free when we look stays free.
RANGE: Final = range(20_000, 32_000)
ATTEMPTS: Final = 200


def choose(data_dir: DataDir, names: Sequence[str], *, gateway: int | None) -> dict[str, int]:
    """A free port for each name; ``gateway`` is what the user asked for, if he did.

    Raises LaunchError when that one is taken. Every other port may change between two starts.
    """
    remembered = data_dir.read_json(FILE) or {}
    chosen: dict[str, int] = {}
    for name in names:
        wanted = remembered.get(name)
        if name == "gateway":
            wanted = gateway or wanted or DEFAULT_GATEWAY_PORT
            if gateway is not None and not is_free(gateway):
                raise LaunchError(
                    f"Port {gateway} is taken by another program: free it, or choose another with --port."
                )
        chosen[name] = wanted if wanted and wanted not in chosen.values() and is_free(wanted) else _any(chosen)
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


def _any(taken: dict[str, int]) -> int:
    for _ in range(ATTEMPTS):
        port = random.choice(RANGE)  # noqa: S311 (no secret; chance keeps two systems that start at once apart)
        if port not in taken.values() and is_free(port):
            return port
    raise LaunchError(f"No free port was found between {RANGE.start} and {RANGE.stop}.")
