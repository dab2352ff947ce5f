"""The head of the chain, kept outside of the database: whoever rewrites the past there cannot rewrite it here."""

import os
import tempfile
from pathlib import Path

from auditor.findings import Head
from deploy.failure import explain_os_error


def read(path: Path) -> str | None:
    """The head that was kept, as ``block:hash``; None where none was kept yet."""
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise explain_os_error(error, f"read {path}") from error


def write(path: Path, head: Head) -> None:
    """Keep a head that an audit has proved; the file is there whole, or as it was."""
    try:
        handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w") as file:
            file.write(f"{head.block_no}:{head.hash}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(path)
    except OSError as error:
        raise explain_os_error(error, f"write to {path}") from error
