"""docker-compose.yml has the processes, commands and settings of the code, and no others."""

import importlib
import importlib.util
import os
import pkgutil
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from auditor.config import AuditorSettings
from cli.main import COMMANDS
from deploy import credentials
from deploy.commands import OPERATOR_PORT_VARIABLE, bus_command, web_command
from deploy.compose import OPERATOR_PORT, WEB_HOST, WEB_PORT, env_file
from deploy.environment import process_environment
from deploy.services import DATABASES, SERVICES, Service

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, Any] = COMPOSE["services"]

ONCE = {"provision", "migrate", "audit"}
SERVERS = {"postgres", "redis"}
OURS = [
    (service, role, f"{service.name}-{role}".replace("_", "-"))
    for service in SERVICES
    for role in ("web", *service.bus_roles)
]

by_container = pytest.mark.parametrize(("service", "role", "name"), OURS, ids=[name for *_, name in OURS])


def given(name: str) -> set[str]:
    """The variables that a container gets."""
    return set(CONTAINERS[name].get("environment", {}))


@cache
def settings_classes(service: str) -> tuple[type[BaseSettings], ...]:
    """Every group of settings that the code of a service reads."""
    package = importlib.import_module(f"services.{service}")
    names = [module.name for module in pkgutil.walk_packages(package.__path__, f"services.{service}.")]
    modules = [importlib.import_module(name) for name in names if ".migrations" not in name]
    return tuple(
        {
            value
            for module in modules
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, BaseSettings) and value.__module__ == module.__name__
        }
    )


def variables(service: str, *, required: bool = False) -> set[str]:
    """The variables that the settings of a service know, or those that they cannot do without."""
    return {
        f"{settings.model_config.get('env_prefix', '')}{field}".upper()
        for settings in settings_classes(service)
        for field, info in settings.model_fields.items()
        if info.is_required() or not required
    }


def test_compose_file_has_every_process_and_no_other() -> None:
    assert set(CONTAINERS) == {name for *_, name in OURS} | SERVERS | ONCE


def test_services_match_the_code() -> None:
    folders = {path.parent.name for path in (ROOT / "services").glob("*/app.py")}
    assert {service.name for service in SERVICES} == folders


@by_container
def test_container_runs_the_launchers_command(service: Service, role: str, name: str) -> None:
    command = web_command(service, host=WEB_HOST, port=WEB_PORT) if role == "web" else bus_command(service, role)
    assert CONTAINERS[name]["command"] == ["python", *command]


@by_container
def test_containers_program_exists(service: Service, role: str, name: str) -> None:
    module = importlib.import_module(f"services.{service.name}.{'app' if role == 'web' else 'worker'}")
    assert callable(vars(module)["create_app" if role == "web" else "build"])


@by_container
def test_container_gets_the_launchers_variables(service: Service, role: str, name: str) -> None:
    told = {variable for variable in process_environment(service, env()) if variable.startswith("FASTCHECK_")}
    assert given(name) == told | {OPERATOR_PORT_VARIABLE, "FASTCHECK_METRICS_HOST"}
    assert CONTAINERS[name]["environment"][OPERATOR_PORT_VARIABLE] == OPERATOR_PORT


@by_container
def test_settings_know_every_variable_and_require_no_other(service: Service, role: str, name: str) -> None:
    assert given(name) <= variables(service.name)
    assert variables(service.name, required=True) <= given(name)


@by_container
def test_container_waits_for_the_schema_and_has_a_health_check(service: Service, role: str, name: str) -> None:
    container = CONTAINERS[name]
    waits = {other: how["condition"] for other, how in container["depends_on"].items()}
    if service.name == "gateway":
        others = {f"{other.name}-web".replace("_", "-") for other in SERVICES if other is not service}
        assert waits == dict.fromkeys({*others, "redis"}, "service_healthy")
    else:
        assert waits["migrate"] == "service_completed_successfully"
        assert waits["redis"] == "service_healthy"
    probe = " ".join(container["healthcheck"]["test"])
    assert f"http://127.0.0.1:{OPERATOR_PORT}/readyz" in probe
    assert (f"http://127.0.0.1:{WEB_PORT}/healthz" in probe) == (role == "web")


@pytest.mark.parametrize("name", sorted(ONCE))
def test_one_off_program_exists(name: str) -> None:
    python, dash_m, module, *arguments = CONTAINERS[name]["command"]
    assert (python, dash_m) == ("python", "-m")
    assert importlib.util.find_spec(module) is not None
    match module:
        case "cli":
            assert arguments[0] in COMMANDS
        case "auditor":
            assert arguments == ["--once"]
        case _:
            assert tuple(arguments) == DATABASES


def test_audit_container_has_the_settings_of_the_auditor() -> None:
    fields = {f"FASTCHECK_{name}".upper(): field.is_required() for name, field in AuditorSettings.model_fields.items()}
    assert given("audit") <= fields.keys()
    assert {name for name, is_required in fields.items() if is_required} <= given("audit")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["cli", "provision", "--help"], 0, "Usage: "),
        (["cli", "env", "--help"], 0, "Usage: "),
        (["cli", "audit", "--data-dir=/nonexistent"], 2, "No FastCheck runs in /nonexistent"),
        (["cli", "events", "list", "--data-dir=/nonexistent"], 1, "No FastCheck runs in /nonexistent"),
        (["cli", "payments", "refused", "--data-dir=/nonexistent"], 2, "No FastCheck runs in /nonexistent"),
        (["auditor", "--help"], 0, "Usage: "),
        (["auditor", "--once"], 2, "FASTCHECK_AUDIT_CHECKS_DATABASE_URL"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_operator_commands_run_without_the_launcher(arguments: list[str], code: int, message: str) -> None:
    image = (ROOT / "Dockerfile").read_text()
    assert "COPY launcher" not in image
    program = (
        "import runpy, sys\n"
        "sys.modules['launcher'] = None  # makes every import of it fail\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_module(sys.argv[0], run_name='__main__')"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FASTCHECK_")}
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == code, result.stderr
    assert message in result.stdout + result.stderr


def test_server_roles_and_schemas_are_prepared_in_order() -> None:
    assert CONTAINERS["provision"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert CONTAINERS["migrate"]["depends_on"] == {"provision": {"condition": "service_completed_successfully"}}


def test_only_the_gateway_is_published() -> None:
    assert [name for name, container in CONTAINERS.items() if "ports" in container] == ["gateway-web"]


def test_every_secret_comes_from_the_env_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    must_be_set = set(re.findall(r"\$\{(\w+):\?", text))
    assert must_be_set <= env_file(credentials.generate()).keys()
    may_be_left_out = set(re.findall(r"\$\{(\w+):-", text))
    assert may_be_left_out == {"FASTCHECK_LOG_LEVEL", "FASTCHECK_PORT"}


def test_env_files_share_no_secret() -> None:
    one, other = env_file(credentials.generate()), env_file(credentials.generate())
    same = {name for name in one if one[name] == other[name]}
    assert not {name for name in same if name.endswith(("PASSWORD", "_KEY", "_KEYS", "DATABASE_URL", "BROKER_URL"))}


def test_servers_store_data_durably_and_redis_evicts_nothing() -> None:
    assert CONTAINERS["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert CONTAINERS["redis"]["volumes"] == ["redis:/data"]
    assert set(COMPOSE["volumes"]) == SERVERS
    configuration = CONTAINERS["redis"]["command"][-1]
    assert "appendonly yes" in configuration
    assert "maxmemory-policy noeviction" in configuration
    assert all("healthcheck" in CONTAINERS[name] for name in SERVERS)


def env() -> dict[str, str]:
    """What ``make env`` writes, as the launcher's settings."""
    return {**env_file(credentials.generate()), "FASTCHECK_LOG_LEVEL": "INFO"}
