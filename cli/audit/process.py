"""The auditor as one of the processes of a running system."""

import os
import sys
import urllib.request
from collections.abc import Mapping
from typing import Final

from cli.audit.sources import AUDITED, BANK, auditor_url, variable
from cli.children import Launch
from cli.credentials import Credentials
from cli.data_dir import DataDir
from cli.environment import PASSED_ON
from cli.ports import HOST
from cli.processes import PROBE_TIMEOUT_SECONDS, Process, Stage
from cli.services import AUDITOR

EVERY_VARIABLE: Final = "FASTCHECK_AUDIT_EVERY_SECONDS"
DEFAULT_EVERY_SECONDS: Final = "300"


def auditor_process(
    secrets: Credentials, ports: Mapping[str, int], data_dir: DataDir, settings: Mapping[str, str]
) -> Process:
    """Audits at intervals, keeps the chain's head outside of the database, serves its figures."""
    port = ports[AUDITOR]
    password = secrets.role_passwords[AUDITOR]
    return Process(
        launch=Launch(
            name=AUDITOR,
            command=[
                sys.executable,
                "-m",
                "cli",
                "audit",
                f"--every={settings.get(EVERY_VARIABLE, DEFAULT_EVERY_SECONDS)}",
                f"--metrics-port={port}",
                f"--head-file={data_dir.path / 'chain-head'}",
                f"--data-dir={data_dir.path}",
            ],
            env={
                **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
                "PYTHONUNBUFFERED": "1",
                **{variable(name): auditor_url(name, password, ports["postgres"]) for name in (*AUDITED, BANK)},
            },
            log=data_dir.log(AUDITOR),
        ),
        stage=Stage.SERVICES,
        is_ready=lambda: _answers(port),
        url=f"http://{HOST}:{port}",
    )


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=PROBE_TIMEOUT_SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
