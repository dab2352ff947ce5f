"""The system in the data folder, for commands that also work on other servers.

A production image has no launcher, so this is the only module of the operator's commands that imports it, on demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.failure import LaunchError

if TYPE_CHECKING:
    from launcher.local_system import LocalSystem


def find(data_dir: Path) -> LocalSystem | None:
    """Return how to reach the system that runs in the data folder; None if none runs or there is no launcher."""
    try:
        from launcher import local_system  # noqa: PLC0415 (absent from a production image)
    except ModuleNotFoundError as error:
        if error.name != "launcher":
            raise
        return None
    return local_system.find(data_dir)


def require(data_dir: Path, variables: Sequence[str], *, exit_code: int = 1) -> LocalSystem:
    """Return the system in the data folder; if none runs, raise LaunchError naming the variables to set."""
    system = find(data_dir)
    if system is None:
        raise LaunchError(
            f"No FastCheck runs in {data_dir}. Start one with `fastcheck up`, or set {', '.join(variables)}.",
            exit_code=exit_code,
        )
    return system
