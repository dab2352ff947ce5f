"""The chain's head, stored outside of the database, where an attacker who rewrites the ledger cannot rewrite it."""

import os
import tempfile
from pathlib import Path

from auditor.findings import Head
from deploy.failure import explain_os_error


def read(path: Path) -> str | None:
    """Return the stored head as ``block:hash``; None if there is no file yet."""
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise explain_os_error(error, f"read {path}") from error


def write(path: Path, head: Head) -> None:
    """Store a head that an audit has proved, replacing the file atomically."""
    try:
        handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w") as file:
            file.write(f"{head.block_no}:{head.hash}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(path)
    except OSError as error:
        raise explain_os_error(error, f"write to {path}") from error
