"""Signals as events that a loop can wait for."""

import os
import select
import signal
from types import FrameType
from typing import Final

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalWatch:
    """Count stop signals, and end a wait early when a signal arrives or a child changes state.

    Create it in the main thread, once per process.
    """

    def __init__(self) -> None:
        self.stop_requests = 0
        self._read_end, write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop)
        # An ignored signal does not write to the wake-up descriptor, so install a handler.
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait(self, seconds: float) -> None:
        """Sleep for ``seconds`` or until a signal arrives."""
        if select.select([self._read_end], [], [], seconds)[0]:
            os.read(self._read_end, 4096)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_requests += 1
