"""A supervisor of small programs as a process: ``python -m tests.support.small_system FOLDER NAME...``.

Each NAME is ``program`` or ``program@stage``. Messages of the supervisor go to stderr, READY to stdout.
"""

import sys
from functools import partial
from pathlib import Path

from launcher.children import Launch
from launcher.processes import Process, Stage
from launcher.signals import SignalWatch
from launcher.supervisor import StopRequested, Supervisor
from tests.support.system import ROOT, environment


def main(folder: Path, names: list[str]) -> None:
    supervisor = Supervisor(SignalWatch(), say=partial(print, file=sys.stderr, flush=True), changed=lambda: None)
    try:
        supervisor.start([_process(folder, name) for name in names])
        sys.stdout.write("READY\n")
        sys.stdout.flush()
        supervisor.keep_running(every_second=lambda: None)
    except StopRequested:
        sys.stderr.write("stopped before it was ready\n")
    finally:
        supervisor.stop()


def _process(folder: Path, name: str) -> Process:
    program, _, stage = name.partition("@")
    file = folder / f"{program}.txt"
    launch = Launch(
        name=program,
        command=[sys.executable, "-m", "tests.support.programs", program, str(file)],
        env=environment(),
        log=folder / f"{program}.log",
        cwd=ROOT,
    )
    return Process(launch, Stage[stage or "SERVICES"], is_ready=file.exists)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
