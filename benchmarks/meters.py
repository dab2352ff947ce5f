"""Processor time and memory of the processes of a running system, read from /proc."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """Return the CPU seconds of each named process (name -> pid) with its descendants, ended ones included."""
    children = _children()
    return {name: sum(map(_cpu_of, _tree(pid, children))) for name, pid in roots.items()}


def memory_mib(roots: Mapping[str, int]) -> dict[str, float]:
    """Return the memory of each process tree in MiB: proportional set size, which splits shared pages."""
    children = _children()
    return {name: sum(map(_pss_kib, _tree(pid, children))) / 1024 for name, pid in roots.items()}


def used_between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return the differences between two readings."""
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
    """Return the fields of /proc/PID/stat after the program name; empty if the process has exited."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process and its reaped children."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / _TICKS_PER_SECOND if fields else 0.0


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
