"""The journal of a client: every request before it is sent, every response when it arrives.

One JSON object per line, one file per client. The checker reads only journals and books.
"""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """One client's journal. A line has reached the operating system when :meth:`write` returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def write(self, event: str, **fields: Any) -> None:
        """Append a line; ``event`` is user, request, response, repeat, no_response, end or balance_read."""
        line = json.dumps({"at": round(time.time(), 3), "event": event, **fields}, ensure_ascii=False)
        with self._lock:
            self._file.write(line + "\n")

    def close(self) -> None:
        self._file.close()


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield all lines of all clients, each client's in order; ``who`` is the name of its file."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open() as file:
            for line in file:
                yield {"who": path.stem, **json.loads(line)}
