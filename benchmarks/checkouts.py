"""Other commits of the repository, built beside the present one so that both can be measured alternately."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
#: Virtual environments of other commits, by the digest of their lock file. They stay for the next comparison.
ENVIRONMENTS: Final = ROOT / ".cache" / "compare"
_LOCK: Final = "requirements.txt"
_PIN: Final = re.compile(r"^([A-Za-z0-9][^\\\n]*==[^\\\n]*?)\s*\\?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Checkout:
    """The sources of one commit and the interpreter that runs them."""

    folder: Path
    python: str = sys.executable

    def environment(self) -> dict[str, str]:
        """Return the variables of this process with the sources of the checkout first on the module path."""
        return {**os.environ, "PYTHONPATH": str(self.folder)}


#: The tree that this module belongs to, uncommitted changes included.
PRESENT: Final = Checkout(ROOT)


@contextmanager
def built(commit: str) -> Iterator[Checkout]:
    """Give a commit in a worktree of its own and remove the worktree at the end; raise RuntimeError if git refuses."""
    with tempfile.TemporaryDirectory(prefix="fastcheck-compare-") as parent:
        folder = Path(parent) / "sources"
        _git("worktree", "add", "--detach", "--quiet", str(folder), commit)
        try:
            yield Checkout(folder, _interpreter_for(folder))
        finally:
            _git("worktree", "remove", "--force", str(folder))


def short_name(commit: str) -> str:
    """Return the abbreviated hash of a commit."""
    return _git("rev-parse", "--short", f"{commit}^{{commit}}")


def missing_pins(lock: str) -> list[str]:
    """Return the pins of a lock file that this environment does not satisfy, such as ``flask==3.1.2``.

    An environment with more packages than the lock names runs its commit too.
    """
    installed = {canonicalize_name(found.name): found.version for found in metadata.distributions()}
    pins = [Requirement(line.strip()) for line in _PIN.findall(lock)]
    return [
        str(pin)
        for pin in pins
        if (pin.marker is None or pin.marker.evaluate())
        and not pin.specifier.contains(installed.get(canonicalize_name(pin.name), "0"), prereleases=True)
    ]


def _interpreter_for(folder: Path) -> str:
    lock = folder / _LOCK
    if not missing_pins(lock.read_text()):
        return sys.executable
    environment = ENVIRONMENTS / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    python, complete = environment / "bin" / "python", environment / "complete"
    if not complete.exists():
        venv.create(environment, clear=True)
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--require-hashes"]
        subprocess.run([*command, "-r", str(lock)], check=True)
        complete.touch()
    return str(python)


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"git {arguments[0]} failed: {result.stderr.strip()}")
    return result.stdout.strip()
