"""Log files of bounded size.

The processes write to their files themselves, without a middleman that could slow them down or die. A file that
has grown too large is copied aside and emptied; they go on at its new end, for they have it open for appending.
A line that is written between the copy and the emptying is lost, once in many megabytes.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 20 * 1024 * 1024
#: How much of a file is read to tell why its process died.
TAIL_BYTES: Final = 8 * 1024
#: What the web server says after the line that tells why its worker ended.
HIDES_THE_REASON: Final = "[ERROR] Unexpected exit from worker"


def bound(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Turn over each log that is too large; the one before it stays as ``<name>.log.1``."""
    for path in folder.glob("*.log"):
        if path.stat().st_size <= max_bytes:
            continue
        try:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
        except OSError as error:
            # The disk is full, most likely: then emptying the log is just what is needed.
            print(f"The log {path} was emptied and not kept: {error.strerror}.", file=sys.stderr)
        os.truncate(path, 0)


def last_line(path: Path, offset: int = 0) -> str:
    """The last line that says something, of what was written after ``offset``; empty when there is none."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(offset if offset <= end else 0, end - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    telling = (line.strip() for line in reversed(lines) if line.strip() and not line.startswith(HIDES_THE_REASON))
    return next(telling, "")
