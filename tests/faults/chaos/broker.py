"""A RabbitMQ node that carries the bus, and its faults."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.faults.chaos.victims import TargetMissing
from tests.support.rabbitmq import VHOSTS, Node


class RabbitMQ:
    """The node of one run. A fault during another one raises TargetMissing."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._struck = threading.Lock()
        # The kernel signals a child when the thread that started it ends, and the thread of a fault ends soon.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="RabbitMQ")

    @property
    def url(self) -> str:
        return self._node.url(VHOSTS[0])

    def kill_and_start(self) -> None:
        """Kill the node with SIGKILL and start it on its data; raise TargetMissing."""
        self._exclusively(self._node.kill, lambda: self._starter.submit(self._node.start).result())

    def freeze(self, until: Callable[[], object]) -> None:
        """Stop the server with SIGSTOP until ``until`` returns; raise TargetMissing."""
        self._exclusively(
            lambda: self._node.signal(signal.SIGSTOP),
            until,
            lambda: self._node.signal(signal.SIGCONT),
        )

    def _exclusively(self, *actions: Callable[[], object]) -> None:
        if not self._struck.acquire(blocking=False):
            raise TargetMissing("RabbitMQ")
        try:
            for action in actions:
                action()
        finally:
            self._struck.release()
