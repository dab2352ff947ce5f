"""What goes wrong while starting or stopping a system, told in one sentence."""

import errno


class LaunchError(Exception):
    """Its text is a whole sentence for the person at the terminal; the command ends with ``exit_code``."""

    def __init__(self, sentence: str, *, exit_code: int = 1) -> None:
        self.exit_code = exit_code
        super().__init__(sentence)


def explain_os_error(error: OSError, doing: str) -> LaunchError:
    """Turn an operating system's refusal into a sentence; ``doing`` is what was tried, as in "write to /x"."""
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
