"""Processes on the bus, started by a test and ended with it."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli.children import Child, Launch
from common.messaging.run import READY_FILE_VARIABLE
from tests.support.eventually import eventually
from tests.support.system import ROOT


@contextmanager
def bus_process(folder: Path, module: str, role: str, settings: Mapping[str, str]) -> Iterator[Child]:
    """``python -m <module> <role>`` with these settings, from when it is at work until the block ends."""
    name = f"{module.rsplit('.', 1)[-1]}-{role}-{len(list(folder.iterdir()))}"
    ready = folder / f"{name}.ready"
    child = Child(
        Launch(
            name=name,
            command=[sys.executable, "-m", module, role],
            env={"PATH": os.environ["PATH"], **settings, READY_FILE_VARIABLE: str(ready)},
            log=folder / f"{name}.log",
            cwd=ROOT,
        )
    )
    try:
        eventually(ready.exists, timeout=30)
        yield child
    finally:
        child.ask_to_stop()
        eventually(lambda: child.poll() is not None, timeout=30)
        child.end_group()
