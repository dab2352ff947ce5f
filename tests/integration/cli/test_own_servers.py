"""Existing servers: ``fastcheck provision`` prepares them, ``fastcheck up`` uses them."""

from pathlib import Path

import psycopg2
import requests

from deploy.services import BY_NAME, DATABASES
from tests.support.databases import drop
from tests.support.servers import Servers
from tests.support.system import fastcheck, running


def addresses(servers: Servers) -> dict[str, str]:
    """Return the variables that point FastCheck at existing PostgreSQL and Redis servers."""
    databases = {
        BY_NAME[name].database_variable: servers.postgres_url(f"fastcheck_{name}", f"fastcheck_{name}").replace(
            "postgresql://", "postgresql+psycopg2://", 1
        )
        for name in DATABASES
    }
    # Database numbers that no worker of the test run uses (see conftest).
    return {**databases, "FASTCHECK_BROKER_URL": servers.redis_url(250), "FASTCHECK_CACHE_URL": servers.redis_url(251)}


def provision(servers: Servers) -> str:
    """Run ``fastcheck provision`` twice, assert equal outputs, and return the output."""
    environ = {
        **addresses(servers),
        "FASTCHECK_ADMINISTRATOR_DATABASE_URL": servers.postgres_url("postgres"),
        "FASTCHECK_AUDITOR_DATABASE_URL": servers.postgres_url("postgres", "fastcheck_auditor"),
    }
    first, second = (fastcheck("provision", environ=environ) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stdout) == (0, first.stdout)
    return first.stdout


def test_system_runs_on_provisioned_servers(tmp_path: Path, test_servers: Servers) -> None:
    try:
        assert "fastcheck_balance" in provision(test_servers)
        with running(tmp_path / "data", addresses(test_servers)) as system:
            names = {process["name"] for process in system.processes}
            assert not names & {"postgres", "redis"}
            assert (system.postgres_url, system.redis_url) == ("", "")
            login = {"login": "alice", "password": "correct horse battery"}
            response = requests.post(f"{system.gateway_url}/register", json=login, timeout=10)
            assert response.status_code == 201
        assert not (tmp_path / "data" / "postgres").exists()
        connection = psycopg2.connect(test_servers.postgres_url("fastcheck_accounts"))
        with connection.cursor() as cursor:
            cursor.execute("SELECT login FROM users")
            assert cursor.fetchall() == [("alice",)]
        connection.close()
    finally:
        for name in DATABASES:
            drop(test_servers, f"fastcheck_{name}")


def test_provision_names_a_missing_variable() -> None:
    result = fastcheck("provision")
    assert (result.returncode, result.stderr) == (2, "FASTCHECK_ADMINISTRATOR_DATABASE_URL is not set.\n")
