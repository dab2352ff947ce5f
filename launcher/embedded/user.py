"""The user of the embedded servers: the current one, or for root, which PostgreSQL rejects, an account of their own.

The account is not `nobody`: other programs run as that, and could read the files of the servers or signal them.
"""

import os
import pwd
import stat
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.failure import LaunchError, explain_os_error

#: The account of the servers of root: it owns nothing but their data, and cannot log in.
ACCOUNT: Final = "fastcheck"
CREATE_TIMEOUT_SECONDS: Final = 20
_CREATE: Final = (
    *("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"),
    *("--shell", "/usr/sbin/nologin", "--comment", "Servers of FastCheck", ACCOUNT),
)


@dataclass(frozen=True, slots=True)
class ServerUser:
    """An unprivileged account for the servers of root."""

    uid: int
    gid: int


def server_user() -> ServerUser | None:
    """Return the account of the servers, created if it is missing; None for the current user, who is not root.

    Raises LaunchError if there is no account and none can be created.
    """
    if os.geteuid() != 0:
        return None
    found = _account()
    if found is None:
        _create_account()
        found = _account()
    if found is None:
        raise LaunchError(f"PostgreSQL does not run as root: create a user for it, `{' '.join(_CREATE)}`.")
    return found


def _account() -> ServerUser | None:
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        raise LaunchError(f"The user {ACCOUNT} is root: PostgreSQL needs an unprivileged one.")
    return ServerUser(entry.pw_uid, entry.pw_gid)


def _create_account() -> None:
    # It fails if another process creates the account at this time, which is as good.
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(_CREATE, capture_output=True, check=False, timeout=CREATE_TIMEOUT_SECONDS)


def reachable_by_others(path: Path) -> bool:
    """Return whether any user can reach and read ``path``, and execute it if it is executable."""
    if not all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents):
        return False
    mode = path.stat().st_mode
    return bool(mode & stat.S_IROTH) and bool(mode & stat.S_IXOTH)


class ServerFolder:
    """A folder that a server works in.

    Root's folders often lie below a home that no other user may enter. The server gets the open folder instead of
    the way to it: through ``/proc/self/fd`` it reaches its files, and nothing else becomes readable to other users.
    """

    def __init__(self, path: Path, user: ServerUser | None) -> None:
        self._path = path
        self._user = user
        self._fd: int | None = None

    def create(self) -> None:
        """Create the folder, readable by the server only; hand over what another user owns in an existing one."""
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._user is not None and self._path.stat().st_uid != self._user.uid:
                # Earlier versions ran the servers as nobody. The folder is last: until then a repeat starts again.
                for path in self._path.rglob("*"):
                    self.hand_over(path)
            self.hand_over(self._path)
        except OSError as error:
            raise explain_os_error(error, f"make the folder {self._path}") from error

    def write(self, name: str, text: str) -> None:
        """Write a file that only the server can read."""
        path = self._path / name
        try:
            path.unlink(missing_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
            self.hand_over(path)
        except OSError as error:
            raise explain_os_error(error, f"write to {path}") from error

    def hand_over(self, path: Path) -> None:
        """Make the server's user the owner of ``path``."""
        if self._user is not None:
            os.chown(path, self._user.uid, self._user.gid, follow_symlinks=False)

    @property
    def pass_fds(self) -> tuple[int, ...]:
        """The file descriptors that the server must inherit to use :attr:`seen_as`."""
        if self._user is None:
            return ()
        if self._fd is None:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        return (self._fd,)

    @property
    def seen_as(self) -> str:
        """The path of the folder as the server uses it."""
        return f"/proc/self/fd/{self.pass_fds[0]}" if self._user is not None else str(self._path)

    def close(self) -> None:
        """Close the descriptor of the folder."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
