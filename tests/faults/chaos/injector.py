"""Strikes when the plan says so, and writes down what it struck."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.chaos.faults import Forged, Striker
from tests.faults.chaos.journal import Journal
from tests.faults.chaos.plan import Fault
from tests.faults.chaos.victims import NotThere

#: Who is being started again when his turn comes is waited for so long.
WAIT_FOR_VICTIM_SECONDS: Final = 5.0
LOOK_EVERY_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that happened: from ``began`` to ``ended`` (Unix time). ``missed``: there was nothing to strike."""

    fault: Fault
    began: float
    ended: float
    done: str
    missed: bool = False


class Injector:
    """Runs the faults of one round after another."""

    def __init__(self, striker: Striker, journal: Journal, over: threading.Event) -> None:
        self._striker = striker
        self._journal = journal
        self._over = over
        self._lock = threading.Lock()
        self.struck: list[Struck] = []
        #: What must not have happened: a forgery that was believed, or a fault of the harness itself.
        self.failures: list[str] = []

    def run_round(self, faults: Sequence[Fault]) -> float:
        """Strike with each in its time; returns the Unix time at which the last one was over."""
        began = time.monotonic()
        threads = []
        for fault in faults:
            if self._over.wait(max(0.0, began + fault.at - time.monotonic())):
                break
            # Each in a thread of its own: what lasts does not put off what comes next.
            thread = threading.Thread(target=self._strike, args=(fault,), name=f"fault {fault.number}")
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
        # The bank remembers its plan over a restart: it is told once more, whatever became of the fault.
        self._striker.calm()
        return max((struck.ended for struck in self.happened), default=time.time())

    @property
    def happened(self) -> list[Struck]:
        """Without those that were missed."""
        with self._lock:
            return [struck for struck in self.struck if not struck.missed]

    def _strike(self, fault: Fault) -> None:
        began = [time.time()]
        try:
            done, missed = self._patiently(fault, began), False
        except NotThere as error:
            done, missed = f"not there: {error}", True
        except Forged as error:
            done, missed = str(error), False
            self.failures.append(str(error))
        except Exception as error:  # noqa: BLE001  a thread's exception would be nobody's; the run ends with it
            done, missed = repr(error), True
            self.failures.append(f"fault {fault.number} ({fault.title}) could not be made: {error!r}")
        struck = Struck(fault, began[-1], time.time(), done, missed)
        with self._lock:
            self.struck.append(struck)
        self._journal.write(
            "fault",
            number=fault.number,
            round=fault.round_no,
            kind=fault.kind.value,
            target=fault.target,
            began=round(struck.began, 3),
            ended=round(struck.ended, 3),
            done=done,
            missed=missed,
        )

    def _patiently(self, fault: Fault, began: list[float]) -> str:
        """Strike as soon as there is something to strike; ``began`` gets the time of each attempt."""
        deadline = time.monotonic() + WAIT_FOR_VICTIM_SECONDS
        while True:
            began.append(time.time())
            try:
                return self._striker.strike(fault)
            except NotThere:
                if time.monotonic() > deadline or self._over.is_set():
                    raise
                time.sleep(LOOK_EVERY_SECONDS)
