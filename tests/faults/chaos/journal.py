"""What a client writes down for himself: every request before it is sent, every answer when it is there.

One JSON object per line, one file per client. The checker believes these lines and the books, nothing else.
"""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """One client's record. A line is with the operating system when :meth:`write` returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def write(self, say: str, **fields: Any) -> None:
        """``say`` tells what kind of line it is: user, ask, answer, silence, end, seen."""
        line = json.dumps({"at": round(time.time(), 3), "say": say, **fields}, ensure_ascii=False)
        with self._lock:
            self._file.write(line + "\n")

    def close(self) -> None:
        self._file.close()


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """All lines of all clients, each client's in order; ``who`` is the name of his file."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open() as file:
            for line in file:
                yield {"who": path.stem, **json.loads(line)}
