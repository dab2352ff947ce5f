"""Write, lint, render and validate the Helm chart: ``python -m tools.helm_chart``.

``files/system.yaml`` of the chart says which processes, jobs and variables there are. It is written from
``deploy/services.py``, so a new service, process or variable needs no line in a template.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import helm_python
import yaml

from common.contracts.events import SUBSCRIBERS
from deploy.auditor import AUDITED, BANK, variable
from deploy.commands import bus_command, web_command
from deploy.compose import OPERATOR_PORT, WEB_HOST, WEB_PORT
from deploy.environment import is_secret
from deploy.services import AUDITOR, COMMON_VARIABLES, SERVICES, Service

CHART: Final = Path(__file__).resolve().parents[1] / "deploy" / "helm" / "fastcheck"
SYSTEM_FILE: Final = CHART / "files" / "system.yaml"
VALUE_FILES: Final = ("small", "ha", "external")
#: The oldest version that Chart.yaml allows, and the newest of which kubernetes-validate has the schemas.
KUBERNETES_VERSIONS: Final = ("1.30", "1.37")
RELEASE: Final = "fastcheck"
NAMESPACE: Final = "fastcheck"

#: Not secret, and in the Secrets all the same: public keys change with the private ones.
IN_SECRETS: Final = frozenset({"FASTCHECK_TOKEN_PUBLIC_KEYS"})
#: A worker or web process of a service that reads one of these calls hosts outside of the cluster.
CALLS_THE_INTERNET: Final = frozenset({"FASTCHECK_BANK", "FASTCHECK_WEBHOOK_KEYS"})
#: A process gets these only if they are set: the adapter of an enabled bank names what it misses.
OPTIONAL_BEGINNINGS: Final = ("FASTCHECK_TBANK_", "FASTCHECK_YOOKASSA_", "FASTCHECK_SBER_", "FASTCHECK_SANDBOX_BANK_SB")
OPTIONAL: Final = frozenset({"FASTCHECK_RETURN_ORIGINS", "FASTCHECK_BANK", "FASTCHECK_BANKS"})
#: Services whose workers call no other service.
WORKERS_WITHOUT_CALLS: Final = frozenset({"webhooks"})
_SEVERITIES: Final = {1: "info", 2: "warning", 3: "error"}


def comes_from_secret(name: str) -> bool:
    """Return whether the value of a variable comes from a Secret."""
    return is_secret(name) or name in IN_SECRETS


def system() -> dict[str, Any]:
    """Return the content of ``files/system.yaml``."""
    return {
        "ports": {"web": WEB_PORT, "operator": OPERATOR_PORT},
        "owners": {**{service.name: _owner(service) for service in SERVICES}, AUDITOR: _auditor_variables()},
        "processes": [*(process for service in SERVICES for process in _processes(service)), _auditor_process()],
        "jobs": [_provision(), _migrate()],
        "publishers": [service.name for service in SERVICES if "relay" in service.bus_roles],
        "subscribers": sorted({name for names in SUBSCRIBERS.values() for name in names}),
    }


def _owner(service: Service) -> dict[str, Any]:
    names = [*COMMON_VARIABLES, *service.variables, *service.may_have]
    if "relay" in service.bus_roles:  # it listens, which a pooler cannot carry
        names.append(service.direct_database_variable)
    optional = {*service.may_have, service.direct_database_variable}
    return _variables(names, optional=optional, is_sandbox=service.name == BANK)


def _auditor_variables() -> dict[str, Any]:
    names = [*COMMON_VARIABLES, "FASTCHECK_AUDIT_HEAD_FILE", *map(variable, (*AUDITED, BANK))]
    return _variables(names, optional={variable(BANK)})


def _variables(names: list[str], *, optional: set[str], is_sandbox: bool = False) -> dict[str, Any]:
    may_miss = [
        name
        for name in names
        if name in optional | OPTIONAL or (name.startswith(OPTIONAL_BEGINNINGS) and not is_sandbox)
    ]
    return {
        "sandbox": is_sandbox,
        "config": [name for name in names if not comes_from_secret(name)],
        "secrets": [name for name in names if comes_from_secret(name)],
        "optional": may_miss,
    }


def _processes(service: Service) -> Iterator[dict[str, Any]]:
    addresses = {other.url_variable: other.name for other in SERVICES if other is not service}
    calls = [addresses[name] for name in service.variables if name in addresses]
    for role in ("web", *service.bus_roles):
        command = web_command(service, host=WEB_HOST, port=WEB_PORT) if role == "web" else bus_command(service, role)
        calls_others = role in ("web", "worker")
        calls_services = role == "web" or (role == "worker" and service.name not in WORKERS_WITHOUT_CALLS)
        yield {
            "name": f"{service.name}-{role}".replace("_", "-"),
            "owner": service.name,
            "role": role,
            "replicated": service.is_replicated,
            "command": ["python", *command],
            "database": service.has_database and role != "scheduler",
            "broker": role != "web",
            "cache": role == "web" and "FASTCHECK_CACHE_URL" in service.variables,
            "calls": [f"{name}-web".replace("_", "-") for name in calls] if calls_services else [],
            "banks": "FASTCHECK_BANK" in service.variables and calls_others,
            "internet": calls_others and not CALLS_THE_INTERNET.isdisjoint(service.variables),
        }


def _auditor_process() -> dict[str, Any]:
    return {
        "name": AUDITOR,
        "owner": AUDITOR,
        "role": AUDITOR,
        "replicated": False,
        "command": ["python", "-m", "auditor"],
        "database": True,
        "broker": False,
        "cache": False,
        "calls": [],
        "banks": False,
        "internet": False,
    }


def _with_databases() -> list[Service]:
    return [service for service in SERVICES if service.has_database]


def _provision() -> dict[str, Any]:
    secrets = {
        "": ["FASTCHECK_ADMINISTRATOR_DATABASE_URL", "FASTCHECK_AUDITOR_DATABASE_URL"],
        **{each.name: [each.database_variable, each.migration_database_variable] for each in _with_databases()},
    }
    return {"name": "provision", "command": ["python", "-m", "cli", "provision"], "secrets": secrets}


def _migrate() -> dict[str, Any]:
    secrets = {each.name: [each.migration_database_variable] for each in _with_databases()}
    return {"name": "migrate", "command": ["python", "-m", "common.db.migrations"], "secrets": secrets}


def system_text() -> str:
    """Return the text of ``files/system.yaml``."""
    head = "# Written from deploy/services.py by `make helm`. Do not edit.\n"
    return head + yaml.safe_dump(system(), sort_keys=False, width=120)


def values(name: str) -> dict[str, Any]:
    """Return the content of a value file: ``small``, ``ha`` or ``external``."""
    content: dict[str, Any] = yaml.safe_load((CHART / "values" / f"{name}.yaml").read_text())
    return content


def lint(overrides: Mapping[str, Any]) -> list[str]:
    """Return what ``helm lint --strict`` reports above the level of information."""
    report = helm_python.lint(CHART, dict(overrides), strict=True, namespace=NAMESPACE, with_subcharts=False)
    found = [
        f"{_SEVERITIES.get(each['severity'], '?')}: {each['path']}: {each['error']}"
        for each in report["messages"]
        if each["severity"] != 1
    ]
    return [*found, *report["errors"]]


def render(overrides: Mapping[str, Any], *, is_upgrade: bool = False) -> list[dict[str, Any]]:
    """Return the objects that the chart renders with these values. Raises helm_python.HelmError."""
    with helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(chart.merge_values(dict(overrides)))
        texts = chart.render(
            dict(overrides), name=RELEASE, namespace=NAMESPACE, is_install=not is_upgrade, is_upgrade=is_upgrade
        )
    files = (yaml.safe_load_all(text) for name, text in sorted(texts.items()) if name.endswith(".yaml"))
    return [each for documents in files for each in documents if each]


@cache
def custom_schemas() -> dict[str, Any]:
    """Return the schema of each custom resource by its kind: the fields that the chart uses."""
    schemas: dict[str, Any] = json.loads((Path(__file__).parent / "helm_custom_resources.json").read_text())
    return schemas


def validate(objects: list[dict[str, Any]], kubernetes_version: str) -> list[str]:
    """Return what is wrong with objects by the schemas of Kubernetes, and by ours for custom resources."""
    # Untyped, and its import takes seconds.
    kubernetes_validate: Any = import_module("kubernetes_validate")
    problems, kinds = [], {(each["apiVersion"], each["kind"]) for each in objects}
    for version, kind in sorted(kinds):
        items = [each for each in objects if (each["apiVersion"], each["kind"]) == (version, kind)]
        try:
            if kind in custom_schemas():
                _validate_custom(kind, items)
            else:
                # As one list: a call reads all definitions again.
                document = {"apiVersion": version, "kind": f"{kind}List", "metadata": {}, "items": items}
                kubernetes_validate.validate(document, kubernetes_version, strict=True)
        except (ValueError, kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            problems.append(f"{kind} ({version}): {getattr(error, 'json_path', '')} {getattr(error, 'message', error)}")
    return problems


def _validate_custom(kind: str, items: list[dict[str, Any]]) -> None:
    validator = import_module("jsonschema_rs").validator_for(custom_schemas()[kind])
    for item in items:
        validator.validate(item)


def main() -> None:
    """Write ``files/system.yaml``, then lint, render and validate the chart with each value file."""
    SYSTEM_FILE.write_text(system_text())
    problems: list[str] = []
    for name in VALUE_FILES:
        content = values(name)
        objects = render(content)
        found = lint(content)
        for version in KUBERNETES_VERSIONS:
            found += [f"{version}: {problem}" for problem in validate(objects, version)]
        sys.stdout.write(f"{name}: {len(objects)} objects, {len(found)} problems\n")
        problems += [f"{name}: {problem}" for problem in found]
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
