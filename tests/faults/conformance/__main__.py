"""``python -m tests.faults.conformance``: the adapter on a scratch database, until Ctrl-C, for the kit's own runner.

lck run --adapter http://127.0.0.1:PORT --capabilities HASH_CHAIN,OVERDRAFT_GUARD,COMPENSATION,REPLAY
"""

import signal
import sys
from pathlib import Path

from launcher.children import Child
from launcher.ports import HOST
from tests.faults.conformance.conftest import launch
from tests.support import databases, servers


def main() -> None:
    with servers.started() as running:
        name = databases.create(running, "balance")
        port = next(servers.free_ports())
        child = Child(launch(databases.url(running, "balance", name), port, Path(running.folder) / "adapter.log"))
        sys.stdout.write(f"http://{HOST}:{port}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
        child.end_group()


if __name__ == "__main__":
    main()
