"""A Redis server of one test, which the test can freeze, kill and start again."""

import os
import signal
from pathlib import Path

from launcher.children import Child
from launcher.embedded.redis import EmbeddedRedis
from launcher.ports import RANGE, is_free
from tests.support.eventually import eventually


class OwnRedis:
    """The server, from its construction on."""

    def __init__(self, folder: Path) -> None:
        port = next(port for port in reversed(RANGE) if is_free(port))
        self._server = EmbeddedRedis(folder / "redis", port=port, password="secret", log=folder / "redis.log")
        self._server.prepare()
        self.url = self._server.url(1)
        self.start()

    def start(self) -> None:
        self.child = Child(self._server.launch())
        eventually(self._server.is_ready)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.child.pid, number)

    def stop(self) -> None:
        self.child.end_group()
