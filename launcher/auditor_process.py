"""The auditor as one of the processes that the launcher runs."""

import os
import sys
from collections.abc import Mapping
from typing import Final

from deploy.auditor import AUDITED, BANK, auditor_url, variable
from deploy.commands import OPERATOR_PORT_VARIABLE
from deploy.credentials import Credentials
from deploy.environment import PASSED_ON
from deploy.services import AUDITOR, COMMON_VARIABLES
from launcher.children import Launch
from launcher.data_dir import DataDir
from launcher.ports import HOST
from launcher.processes import Process, Stage, answers_ready
from launcher.tls import Tls, secured_environment

#: Settings of the system that the auditor reads too.
PASSED_SETTINGS: Final = (*COMMON_VARIABLES, "FASTCHECK_AUDIT_EVERY_SECONDS")


def auditor_process(
    secrets: Credentials,
    ports: Mapping[str, int],
    data_dir: DataDir,
    settings: Mapping[str, str],
    tls: Tls | None = None,
) -> Process:
    """Return the auditor: it audits at intervals, stores the chain's head in the data folder, and serves metrics."""
    port = ports[AUDITOR]
    address = f"{HOST}:{ports['postgres']}"
    password = secrets.role_passwords[AUDITOR]
    urls = {variable(name): auditor_url(name, password, address) for name in (*AUDITED, BANK)}
    return Process(
        launch=Launch(
            name=AUDITOR,
            command=[
                sys.executable,
                "-m",
                "auditor",
            ],
            env={
                **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
                "PYTHONUNBUFFERED": "1",
                **secured_environment(tls, AUDITOR, urls),
                **{name: settings[name] for name in PASSED_SETTINGS if name in settings},
                OPERATOR_PORT_VARIABLE: str(port),
                "FASTCHECK_AUDIT_HEAD_FILE": str(data_dir.path / "chain-head"),
            },
            log=data_dir.log(AUDITOR),
        ),
        stage=Stage.SERVICES,
        is_ready=lambda: answers_ready(port),
        url=f"http://{HOST}:{port}",
        operator_url=f"http://{HOST}:{port}",
    )
