"""Replicas of a process: distinct names and files, everything else shared."""

from collections import Counter
from pathlib import Path

import pytest

from deploy import credentials
from deploy.commands import OPERATOR_PORT_VARIABLE
from deploy.environment import system_settings
from deploy.services import SERVICES
from launcher.data_dir import DataDir
from launcher.processes import Process, is_replica_of, operator_ports, replica_name, service_processes

NAMES = ("postgres", "redis", *(service.name for service in SERVICES), *operator_ports(replicas=4))
PORTS = {name: 20_000 + number for number, name in enumerate(NAMES)}
ADDRESSES = {name: f"127.0.0.1:{port}" for name, port in PORTS.items()}


def processes(folder: Path, replicas: int) -> list[Process]:
    settings = system_settings(credentials.generate(), ADDRESSES, public_url="http://fastcheck.example", user={})
    return service_processes(settings, PORTS, DataDir(folder), replicas=replicas)


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_every_process_has_replicas_except_the_sandbox_bank(tmp_path: Path, replicas: int) -> None:
    names = [process.name for process in processes(tmp_path, replicas)]
    assert len(set(names)) == len(names)
    kinds = [f"{service.name}-{role}" for service in SERVICES for role in ("web", *service.bus_roles)]
    counted = {kind: sum(is_replica_of(name, kind) for name in names) for kind in kinds}
    assert counted == {kind: 1 if kind == "sandbox_bank-web" else replicas for kind in kinds}


def test_replicas_share_address_and_settings_and_no_file_or_operator_port(tmp_path: Path) -> None:
    found = processes(tmp_path, 3)
    assert len({process.launch.log for process in found}) == len(found)
    operator_urls = {process.operator_url for process in found}
    assert len(operator_urls) == len(found)
    web = [process for process in found if is_replica_of(process.name, "checks-web")]
    assert Counter(process.url for process in web) == {f"http://127.0.0.1:{PORTS['checks']}": 3}
    environments = [{**process.launch.env, OPERATOR_PORT_VARIABLE: ""} for process in web]
    assert environments[0] == environments[1] == environments[2]


def test_replica_names_are_recognized() -> None:
    assert [replica_name("balance-web", number) for number in (1, 2, 11)] == [
        "balance-web",
        "balance-web-2",
        "balance-web-11",
    ]
    assert is_replica_of("balance-web-11", "balance-web")
    assert is_replica_of("balance-web", "balance-web")
    assert not is_replica_of("balance-web-2", "balance-worker")
    assert not is_replica_of("balance-website", "balance-web")
