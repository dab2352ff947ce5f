"""The data folder of one system: databases, credentials, ports, logs, and the list of running processes."""

import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, Any, Final

from deploy.failure import LaunchError, explain_os_error

#: Free space in bytes that PostgreSQL needs to create a cluster.
MIN_FREE_BYTES: Final = 200 * 1024 * 1024


class DataDir:
    """The paths in a data folder, and its lock, which allows one supervisor at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self._lock: IO[str] | None = None

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def redis(self) -> Path:
        return self.path / "redis"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def open(self) -> None:
        """Create the folder if it is missing and lock it; raise LaunchError if another process holds the lock."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self.path, self.logs):
                folder.mkdir(mode=0o700, exist_ok=True)
            lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise explain_os_error(error, f"write to the data folder {self.path}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise LaunchError(f"A FastCheck is already running in {self.path}.") from None
        self._lock = lock
        self._require_free_space()
        self._write_lock_owner(str(os.getpid()))

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._write_lock_owner("")
            self._lock.close()
            self._lock = None

    def owner(self) -> int | None:
        """Return the pid of the supervisor that holds the lock; ``None`` if the folder is not locked."""
        try:
            with (self.path / "lock").open("r+") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    text = lock.read().strip()
                    return int(text) if text else None
                return None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise explain_os_error(error, f"look into the data folder {self.path}") from error

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return the content of a JSON file in the folder; ``None`` if it does not exist."""
        path = self.path / name
        try:
            content: dict[str, Any] = json.loads(path.read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise explain_os_error(error, f"read {path}") from error
        except ValueError as error:
            raise LaunchError(f"{path} is damaged: it is not JSON.") from error
        return content

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Replace a JSON file in the folder atomically; only its owner can read it."""
        path = self.path / name
        try:
            handle, unfinished = tempfile.mkstemp(dir=self.path, prefix=f".{name}.")
            try:
                with os.fdopen(handle, "w") as file:
                    json.dump(content, file, indent=2)
                    file.flush()
                    os.fsync(file.fileno())
                Path(unfinished).replace(path)
            except OSError:
                Path(unfinished).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise explain_os_error(error, f"write to {path}") from error

    def _require_free_space(self) -> None:
        free = shutil.disk_usage(self.path).free
        if free < MIN_FREE_BYTES:
            raise LaunchError(
                f"The disk that holds {self.path} is full: {free // 2**20} MB are free and FastCheck needs at least "
                f"{MIN_FREE_BYTES // 2**20} MB."
            )

    def _write_lock_owner(self, text: str) -> None:
        if self._lock is None:
            return
        try:
            self._lock.seek(0)
            self._lock.truncate()
            self._lock.write(text)
            self._lock.flush()
        except OSError as error:
            raise explain_os_error(error, f"write to {self.path / 'lock'}") from error
