"""What a running system uses: processor time and memory of every process, read from /proc."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """Processor time used so far by each named process (name -> pid) and its descendants, ended ones included."""
    children = _children()
    return {name: sum(map(_cpu_of, _tree(pid, children))) for name, pid in roots.items()}


def memory_mib(roots: Mapping[str, int]) -> dict[str, float]:
    """Memory of each tree in MiB: proportional set size, in which a shared page counts once for all its users."""
    children = _children()
    return {name: sum(map(_pss_kib, _tree(pid, children))) / 1024 for name, pid in roots.items()}


def used_between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was used from one reading to the next."""
    return {name: after[name] - before.get(name, 0.0) for name in after}


def _children() -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            found[int(fields[1])].append(int(folder.name))
    return found


def _tree(pid: int, children: Mapping[int, list[int]]) -> Iterable[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _tree(child, children)


def _stat(pid: int) -> list[str]:
    """The fields after the name of the program, which may hold anything; none when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu_of(pid: int) -> float:
    """Its own time, and that of children which have ended and been waited for."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / _TICKS_PER_SECOND if fields else 0.0


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
