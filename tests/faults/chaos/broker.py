"""A RabbitMQ that carries the bus of a system under chaos, as that chaos strikes it."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.faults.chaos.victims import NotThere
from tests.support.rabbitmq import VHOSTS, Node


class RabbitMQ:
    """The node of one run. A fault that comes while another has it down finds it missing."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._struck = threading.Lock()
        # A child is sent a signal when the thread dies that has started it, and that of a fault does not live long.
        self._keeper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="RabbitMQ")

    @property
    def url(self) -> str:
        return self._node.url(VHOSTS[0])

    def kill_and_start(self) -> None:
        """``kill -9``, and start it again on its data; raises NotThere."""
        self._alone(self._node.kill, lambda: self._keeper.submit(self._node.start).result())

    def freeze(self, until: Callable[[], object]) -> None:
        """``SIGSTOP`` to the server, until ``until`` returns; raises NotThere."""
        self._alone(
            lambda: self._node.signal(signal.SIGSTOP),
            until,
            lambda: self._node.signal(signal.SIGCONT),
        )

    def _alone(self, *acts: Callable[[], object]) -> None:
        if not self._struck.acquire(blocking=False):
            raise NotThere("RabbitMQ")
        try:
            for act in acts:
                act()
        finally:
            self._struck.release()
