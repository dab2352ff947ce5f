"""Inject the faults of the plan and record them."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.chaos.faults import Forged, Striker
from tests.faults.chaos.plan import Fault
from tests.faults.chaos.victims import TargetMissing

#: Wait for a target that is being restarted.
WAIT_FOR_TARGET_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Struck:
    """An injected fault, from ``began`` to ``ended`` (Unix time). ``missed``: the target did not run."""

    fault: Fault
    began: float
    ended: float
    done: str
    missed: bool = False


class Injector:
    """Runs the faults of each round."""

    def __init__(self, striker: Striker, over: threading.Event) -> None:
        self._striker = striker
        self._over = over
        self._lock = threading.Lock()
        self.struck: list[Struck] = []
        #: Accepted forgeries and errors of the harness.
        self.failures: list[str] = []

    def run_round(self, faults: Sequence[Fault]) -> float:
        """Inject each fault at its time; return the Unix time at which the last one ended."""
        began = time.monotonic()
        threads = []
        for fault in faults:
            if self._over.wait(max(0.0, began + fault.at - time.monotonic())):
                break
            # Each fault has a thread, so that a lasting one does not delay the next.
            thread = threading.Thread(target=self._strike, args=(fault,), name=f"fault {fault.number}")
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
        # The bank keeps its plan over a restart, so it is cleared again after every round.
        self._striker.restore()
        return max((struck.ended for struck in self.happened), default=time.time())

    @property
    def happened(self) -> list[Struck]:
        """Return the faults that were not missed."""
        with self._lock:
            return [struck for struck in self.struck if not struck.missed]

    def _strike(self, fault: Fault) -> None:
        began = [time.time()]
        try:
            done, missed = self._strike_when_present(fault, began), False
        except TargetMissing as error:
            done, missed = f"not running: {error}", True
        except Forged as error:
            done, missed = str(error), False
            self.failures.append(str(error))
        except Exception as error:  # noqa: BLE001  an exception would be lost with the thread; it fails the run
            done, missed = repr(error), True
            self.failures.append(f"fault {fault.number} ({fault.title}) could not be injected: {error!r}")
        struck = Struck(fault, began[-1], time.time(), done, missed)
        with self._lock:
            self.struck.append(struck)

    def _strike_when_present(self, fault: Fault, began: list[float]) -> str:
        """Strike as soon as the target runs; ``began`` gets the time of each attempt."""
        deadline = time.monotonic() + WAIT_FOR_TARGET_SECONDS
        while True:
            began.append(time.time())
            try:
                return self._striker.strike(fault)
            except TargetMissing:
                if time.monotonic() > deadline or self._over.is_set():
                    raise
                time.sleep(POLL_SECONDS)
