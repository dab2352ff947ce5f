"""Brings the databases of all services to their newest schema, all at the same time."""

import sys
from collections.abc import Iterable, Mapping
from typing import Final

from deploy.environment import migration_environment
from deploy.failure import LaunchError
from deploy.services import Service
from launcher.children import Child, Launch
from launcher.data_dir import DataDir
from launcher.logfiles import last_line
from launcher.signals import SignalWatch
from launcher.tls import Tls, secured_environment

BUSY_SECONDS: Final = 0.05


def migrate(
    services: Iterable[Service],
    settings: Mapping[str, str],
    data_dir: DataDir,
    watch: SignalWatch,
    tls: Tls | None = None,
) -> None:
    """Run every service's migrations; raises LaunchError when one fails. A request to stop ends them all."""
    running: dict[str, Child] = {}
    try:
        for service in services:
            running[service.name] = Child(_launch(service, settings, data_dir, tls))
        while any(child.poll() is None for child in running.values()):
            if watch.stop_requests:
                return  # each migration is one transaction: what is cut off has not happened
            watch.wait(BUSY_SECONDS)
        for name, child in running.items():
            if child.poll() != 0:
                log = child.launch.log
                raise LaunchError(f"The migrations of {name} failed: {last_line(log)} (in {log})")
    finally:
        for child in running.values():
            child.end_group()


def _launch(service: Service, settings: Mapping[str, str], data_dir: DataDir, tls: Tls | None) -> Launch:
    name = f"{service.name}-migrations"
    return Launch(
        name=name,
        command=[sys.executable, "-m", "common.db.migrations", service.name],
        env=secured_environment(tls, name, migration_environment(service, settings)),
        log=data_dir.log(name),
    )
