"""Log files of bounded size.

Each process writes to its file directly, so that no intermediary can slow it down or fail. A file that grows too large
is copied and truncated; the process continues at the new end because it opened the file for appending. A line written
between copy and truncation is lost.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 20 * 1024 * 1024
#: Number of bytes at the end of a log in which to search for the reason of an exit.
TAIL_BYTES: Final = 8 * 1024
#: granian logs this line after the one that names the reason.
HIDES_THE_REASON: Final = "[ERROR] Unexpected exit from worker"


def bound(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Rotate each log in ``folder`` larger than ``max_bytes`` to ``<name>.log.1``, replacing the previous one."""
    for path in folder.glob("*.log"):
        if path.stat().st_size <= max_bytes:
            continue
        try:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
        except OSError as error:
            # Most likely the disk is full, so truncating the log is right even without a copy.
            print(f"The log {path} was truncated without a copy: {error.strerror}.", file=sys.stderr)
        os.truncate(path, 0)


def last_line(path: Path, offset: int = 0) -> str:
    """Return the last meaningful line written after the byte ``offset``; empty if there is none."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(offset if offset <= end else 0, end - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    telling = (line.strip() for line in reversed(lines) if line.strip() and not line.startswith(HIDES_THE_REASON))
    return next(telling, "")
