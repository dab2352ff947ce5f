"""Run one process of a system in the foreground and restart it when its code changes. For development only."""

import importlib.util
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.commands import OPERATOR_PORT_VARIABLE, bus_command, web_command
from deploy.environment import process_environment, system_settings, user_settings
from deploy.failure import LaunchError
from deploy.services import Service
from launcher import ports, state, stored_credentials
from launcher.children import Child, Launch
from launcher.data_dir import DataDir
from launcher.embedded import haproxy
from launcher.logfiles import last_line
from launcher.processes import operator_port

ROOT: Final = Path(__file__).resolve().parent.parent
START_TIMEOUT_SECONDS: Final = 120.0
STOP_TIMEOUT_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05


def run(data_dir: DataDir, service: Service, role: str, *, say: Callable[[str], None]) -> None:
    """Start the system without ``<service>-<role>`` and run that process here until Ctrl-C.

    Raises LaunchError if the service has no such process, if a system already runs in ``data_dir``, if the rest of the
    system does not start, or if watchfiles is not installed.
    """
    if role != "web" and role not in service.bus_roles:
        roles = ", ".join(("web", *service.bus_roles))
        raise LaunchError(f"{service.name} has no process {role!r}; it has: {roles}.")
    if importlib.util.find_spec("watchfiles") is None:
        raise LaunchError("`fastcheck dev` needs the development tools: run `make setup`.")
    if data_dir.owner() is not None:
        raise LaunchError(f"A FastCheck is already running in {data_dir.path}: stop it with `fastcheck down` first.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    name = f"{service.name}-{role}"
    say(f"Starting the system without {name} ...")
    try:
        with _rest_of_the_system(data_dir, without=name) as gateway_url:
            say(f"FastCheck is ready: {gateway_url} with {name} in this terminal. Ctrl-C stops everything.")
            _run_with_reload(data_dir, service, role, gateway_url)
    except KeyboardInterrupt:
        say("Stopped. The data stays.")


@contextmanager
def _rest_of_the_system(data_dir: DataDir, *, without: str) -> Iterator[str]:
    """Run ``fastcheck up --without`` as a child that cannot outlive this process; give the gateway's URL."""
    for folder in (data_dir.path, data_dir.logs):
        folder.mkdir(mode=0o700, exist_ok=True)
    log = data_dir.log("up")
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "cli", "up", "--data-dir", str(data_dir.path), "--without", without]
    up = Child(Launch(name="fastcheck up", command=command, env=dict(os.environ), log=log, cwd=ROOT))
    try:
        yield _wait_until_ready(data_dir, up)
    finally:
        up.ask_to_stop()
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while up.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        up.end_group()


def _wait_until_ready(data_dir: DataDir, up: Child) -> str:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        now = state.now(data_dir)
        if now.ready and now.gateway_url is not None:
            return now.gateway_url
        if up.poll() is not None:
            raise LaunchError(last_line(up.launch.log, 0) or f"`fastcheck up` exited with code {up.poll()}.")
        time.sleep(POLL_SECONDS)
    raise LaunchError(f"The system was not ready after {START_TIMEOUT_SECONDS:.0f} seconds; see {up.launch.log}.")


def _run_with_reload(data_dir: DataDir, service: Service, role: str, gateway_url: str) -> None:
    known_ports = data_dir.read_json(ports.FILE) or {}
    addresses = {name: f"{ports.HOST}:{port}" for name, port in known_ports.items()}
    settings = system_settings(
        stored_credentials.load_or_create(data_dir), addresses, public_url=gateway_url, user=user_settings()
    )
    if haproxy.GATEWAY_PORT in known_ports:
        settings = haproxy.settings_behind(settings)
    if role == "web":
        port = haproxy.ports_behind(known_ports)[service.name]
        command = [sys.executable, *web_command(service, host=ports.HOST, port=port)]
    else:
        command = [sys.executable, *bus_command(service, role)]
    watcher = subprocess.Popen(
        [
            *(sys.executable, "-m", "watchfiles", "--filter", "python", "--target-type", "command"),
            *(shlex.join(command), f"services/{service.name}", "common"),
        ],
        cwd=ROOT,
        env={
            **process_environment(service, settings),
            OPERATOR_PORT_VARIABLE: str(known_ports[operator_port(f"{service.name}-{role}")]),
            "PYTHONBREAKPOINT": "launcher.debugger.set_trace",
        },
    )
    try:
        watcher.wait()
    except KeyboardInterrupt:
        watcher.wait()  # Ctrl-C has reached the watcher as well.
        raise
    finally:
        if watcher.poll() is None:
            watcher.terminate()
            watcher.wait()
