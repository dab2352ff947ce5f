"""``breakpoint()`` in a process that ``fastcheck dev`` runs: granian's workers have no standard input of their own."""

import inspect
import pdb
from pathlib import Path


def set_trace() -> None:
    """Open pdb on the controlling terminal at the caller's line. Named by ``PYTHONBREAKPOINT``."""
    frame = inspect.currentframe()
    # pdb uses both until its session ends, which is after this call.
    reader = Path("/dev/tty").open()  # noqa: SIM115
    writer = Path("/dev/tty").open("w")  # noqa: SIM115
    pdb.Pdb(stdin=reader, stdout=writer, nosigint=True).set_trace(frame.f_back if frame else None)
