"""Expected failures of commands and daemons, each reported as one sentence."""

import errno
from typing import Final

#: The exit code of a command that could not do its work; the code 1 of some commands is a result.
CANNOT_RUN: Final = 2


class LaunchError(Exception):
    """An expected failure; its text is a whole sentence for the user, and the command exits with ``exit_code``."""

    def __init__(self, sentence: str, *, exit_code: int = 1) -> None:
        self.exit_code = exit_code
        super().__init__(sentence)


def explain_os_error(error: OSError, doing: str) -> LaunchError:
    """Return the sentence for an error of the operating system; ``doing`` names the action, as in "write to /x"."""
    reasons = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EROFS: "the file system is read-only",
        errno.EACCES: "permission is denied",
        errno.EPERM: "permission is denied",
        errno.ENOTDIR: "a part of the path is not a folder",
        errno.EEXIST: "a file is in the way",
    }
    reason = reasons.get(error.errno or 0, error.strerror or repr(error))
    return LaunchError(f"FastCheck cannot {doing}: {reason}.")
