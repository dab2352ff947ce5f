"""The auditor as one of the processes of a running system."""

import os
import sys
import urllib.request
from collections.abc import Mapping
from typing import Final

from auditor.sources import AUDITED, BANK, auditor_url, variable
from deploy.credentials import Credentials
from deploy.environment import PASSED_ON
from deploy.services import AUDITOR
from launcher.children import Launch
from launcher.data_dir import DataDir
from launcher.ports import HOST
from launcher.processes import PROBE_TIMEOUT_SECONDS, Process, Stage

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
