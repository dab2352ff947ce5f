"""The Helm chart deploys the processes of deploy/services.py with their settings, and is valid. Nothing runs here."""

import importlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import helm_python
import pytest
from pydantic_settings import BaseSettings

from auditor.config import AuditorSettings
from common.core.settings import Settings
from deploy.credentials import generate
from deploy.environment import system_settings
from deploy.services import SERVICES
from services.payments.banks.registry import open_banks
from services.payments.config import PaymentsSettings
from tests.architecture.helm_objects import SANDBOX, by_file, expected_processes, objects, rendered
from tests.architecture.test_compose import settings_classes
from tools import helm_chart
from tools.helm_chart import VALUE_FILES


def pods(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the pod of each Deployment, StatefulSet and Job."""
    for kind in ("Deployment", "StatefulSet", "Job"):
        for each, found in objects(name, kind).items():
            yield each, found["spec"]["template"]["spec"]


def secret_keys(container: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the name and the key of the Secret of each variable that is read from one."""
    references = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container["env"] if "valueFrom" in each}
    return {name: (reference["name"], reference["key"]) for name, reference in references.items()}


def test_system_file_is_current() -> None:
    assert helm_chart.SYSTEM_FILE.read_text() == helm_chart.system_text(), "run `make helm`"


@by_file
def test_chart_passes_lint(name: str) -> None:
    assert helm_chart.lint(helm_chart.values(name)) == []


def test_objects_are_valid_in_the_oldest_and_the_newest_version_of_kubernetes() -> None:
    everything = [each for name in VALUE_FILES for each in rendered(name)]
    for version in helm_chart.KUBERNETES_VERSIONS:
        assert helm_chart.validate(everything, version) == []


def test_validation_reports_unknown_fields_of_objects_and_of_custom_resources() -> None:
    deployment = deepcopy(objects("ha", "Deployment")["checks-relay"])
    deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    cluster = deepcopy(objects("ha", "Cluster")["postgres"])
    cluster["spec"]["instance"] = cluster["spec"].pop("instances")
    first, second = helm_chart.validate([deployment, cluster], helm_chart.KUBERNETES_VERSIONS[0])
    assert "livenesProbe" in first
    assert "instance" in second


@by_file
def test_every_process_is_deployed_with_the_launchers_command(name: str) -> None:
    deployed = {
        process: found["spec"]["template"]["spec"]["containers"][0]["command"]
        for process, found in objects(name, "Deployment").items()
    }
    assert deployed == {process: command for process, (_, command) in expected_processes(name).items()}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], dict[str, str]]:
    """Return a function that sets the environment that a container of a process gets, and no other variable."""
    names = ["postgres", "redis", *(service.name for service in SERVICES)]
    credentials = generate()
    secrets = system_settings(credentials, dict.fromkeys(names, "host:1"), public_url="https://x.example", user={})
    secrets["FASTCHECK_BROKER_URL"] = "redis://user:secret@host:1/0"
    # Production refuses keys of tests.
    secrets["FASTCHECK_YOOKASSA_SECRET_KEY"] = "live_a-secret-of-this-test"
    for audited in ("CHECKS", "PAYMENTS", "BALANCE", "SANDBOX_BANK"):
        secrets[f"FASTCHECK_AUDIT_{audited}_DATABASE_URL"] = "postgresql+psycopg2://auditor:secret@host/database"

    def set_environment(name: str, process: str) -> dict[str, str]:
        pod = objects(name, "Deployment")[process]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        (source,) = container["envFrom"]
        config = objects(name, "ConfigMap")[source["configMapRef"]["name"].removeprefix("fastcheck-")]["data"]
        given = {
            **config,
            **{variable: secrets[variable] for variable in secret_keys(container) if variable in secrets},
        }
        for variable in list(secrets):
            monkeypatch.delenv(variable, raising=False)
        for variable, value in given.items():
            monkeypatch.setenv(variable, value)
        return given

    return set_environment


@by_file
def test_every_process_gets_the_settings_that_it_requires(
    name: str, environment: Callable[[str, str], dict[str, str]]
) -> None:
    for process, (owner, _) in expected_processes(name).items():
        given = environment(name, process)
        assert given["FASTCHECK_METRICS_PORT"] == "9000"
        if owner == "auditor":
            assert AuditorSettings.load().operator_port().metrics_host == "0.0.0.0"  # noqa: S104  in a pod
            continue
        module = importlib.import_module(f"services.{owner}.config")
        (settings_class,) = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Settings) and value.__module__ == module.__name__
        ]
        settings = settings_class.load()
        assert settings.metrics_port == 9000
        if isinstance(settings, PaymentsSettings):
            assert set(open_banks(settings.enabled_banks, settings)) == set(settings.enabled_banks)


@by_file
def test_settings_know_every_variable_that_a_process_gets(name: str) -> None:
    for process, (owner, _) in expected_processes(name).items():
        (container,) = objects(name, "Deployment")[process]["spec"]["template"]["spec"]["containers"]
        config = objects(name, "ConfigMap")[owner.replace("_", "-")]["data"]
        classes: tuple[type[BaseSettings], ...] = (AuditorSettings,) if owner == "auditor" else settings_classes(owner)
        known = {
            f"{each.model_config.get('env_prefix', '')}{field}".upper()
            for each in classes
            for field in each.model_fields
        }
        assert {*config, *secret_keys(container)} <= known, process


def test_no_setting_with_a_secret_is_in_a_config_map() -> None:
    classes: list[type[BaseSettings]] = [
        AuditorSettings,
        *(each for service in SERVICES for each in settings_classes(service.name)),
    ]
    secrets = {
        f"{each.model_config.get('env_prefix', '')}{field}".upper()
        for each in classes
        for field, info in each.model_fields.items()
        if "SecretStr" in str(info.annotation)
    }
    assert "FASTCHECK_TBANK_PASSWORD" in secrets
    listed = {variable for owner in helm_chart.system()["owners"].values() for variable in owner["config"]}
    rendered = {key for name in VALUE_FILES for each in objects(name, "ConfigMap").values() for key in each["data"]}
    assert not secrets & (listed | rendered)


def test_config_rejects_secrets_and_values_reject_unknown_keys() -> None:
    damages: list[dict[str, Any]] = [
        {"config": {"FASTCHECK_TBANK_PASSWORD": "x"}},
        {"postgress": {}},
        {"broker": {"mode": "kafka"}},
    ]
    for damage in damages:
        with pytest.raises(helm_python.HelmValuesError):
            helm_chart.render({**helm_chart.values("ha"), **damage})


def test_chart_names_a_missing_variable() -> None:
    with pytest.raises(helm_python.HelmError, match=r"config\.FASTCHECK_PUBLIC_URL is required"):
        helm_chart.render({**helm_chart.values("ha"), "config": {"FASTCHECK_BANK": "tbank"}})


def test_created_secrets_hold_the_variables_of_their_owner_only() -> None:
    wanted = {"FASTCHECK_CODE_KEYS": "a code key", "FASTCHECK_ADMINISTRATOR_DATABASE_URL": "an administrator's URL"}
    secrets = {"create": True, "values": wanted}
    created = [
        each
        for each in helm_chart.render({**helm_chart.values("small"), "secrets": secrets})
        if each["kind"] == "Secret"
    ]
    filled = {each["metadata"]["name"]: each["stringData"] for each in created if each["stringData"]}
    assert filled == {
        "fastcheck-checks": {"FASTCHECK_CODE_KEYS": "a code key"},
        "fastcheck-provision": {"FASTCHECK_ADMINISTRATOR_DATABASE_URL": "an administrator's URL"},
    }
    assert all(objects(name, "Secret") == {} for name in VALUE_FILES)


@by_file
def test_only_the_jobs_get_the_urls_of_owners_and_administrators(name: str) -> None:
    for process, pod in pods(name):
        keys = set(secret_keys(pod["containers"][0]))
        owners = {key for key in keys if key.endswith("_MIGRATION_DATABASE_URL")}
        administrators = {key for key in keys if key == "FASTCHECK_ADMINISTRATOR_DATABASE_URL"}
        assert bool(owners) == (process in ("provision", "migrate")), process
        assert bool(administrators) == (process == "provision"), process


def test_jobs_cover_every_database_and_leave_out_the_sandbox_bank_in_production() -> None:
    for name in VALUE_FILES:
        expected = {
            service.name for service in SERVICES if service.has_database and (name == "small" or service.is_replicated)
        }
        (container,) = objects(name, "Job")["migrate"]["spec"]["template"]["spec"]["containers"]
        assert set(container["args"]) == expected
        assert set(secret_keys(container)) == {f"FASTCHECK_{each.upper()}_MIGRATION_DATABASE_URL" for each in expected}


def test_migrations_run_before_an_upgrade_and_beside_the_first_start_of_a_new_server() -> None:
    def hooks(rendered: list[dict[str, Any]]) -> dict[str, tuple[str, int] | None]:
        jobs = [each["metadata"] for each in rendered if each["kind"] == "Job"]
        return {
            each["name"].removeprefix("fastcheck-"): (notes["helm.sh/hook"], int(notes["helm.sh/hook-weight"]))
            if (notes := each.get("annotations"))
            else None
            for each in jobs
        }

    before = "pre-install,pre-upgrade"
    assert hooks(rendered("ha")) == {"provision": None, "migrate": None}
    upgrade = helm_chart.render(helm_chart.values("ha"), is_upgrade=True)
    assert hooks(upgrade) == {"provision": (before, -10), "migrate": (before, -5)}
    assert hooks(rendered("external")) == {"migrate": (before, -5)}


@by_file
def test_pods_run_without_privileges(name: str) -> None:
    for each, pod in pods(name):
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, each
        assert security["runAsUser"] > 0, each
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, each
        assert pod["automountServiceAccountToken"] is False, each
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, each
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, each
            assert "memory" in container["resources"]["limits"], each


@by_file
def test_probes_ask_the_operator_port_and_liveness_asks_for_no_dependency(name: str) -> None:
    for process, found in objects(name, "Deployment").items():
        (container,) = found["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        is_web = process.endswith("-web")
        assert ports == {"operator": 9000, **({"http": 8000} if is_web else {})}
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "operator"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "operator"}
        assert container["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "http" if is_web else "operator"}


@by_file
def test_replicated_processes_survive_the_drain_of_a_node(name: str) -> None:
    deployments, budgets = objects(name, "Deployment"), objects(name, "PodDisruptionBudget")
    assert set(budgets) == set(deployments) - SANDBOX - {"auditor"}
    for process, budget in budgets.items():
        spec = deployments[process]["spec"]
        assert budget["spec"]["selector"] == spec["selector"]
        assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        spread = spec["template"]["spec"]["topologySpreadConstraints"]
        assert {each["topologyKey"] for each in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        assert all(each["labelSelector"] == spec["selector"] for each in spread)


def test_autoscalers_own_the_number_of_replicas() -> None:
    deployments, autoscalers = objects("ha", "Deployment"), objects("ha", "HorizontalPodAutoscaler")
    scaled = objects("ha", "ScaledObject")
    assert set(autoscalers) == {process for process in expected_processes("ha") if process.endswith("-web")}
    assert set(scaled) == {"balance-worker", "webhooks-worker", "checks-relay", "payments-relay"}
    for process, found in deployments.items():
        owned = process in autoscalers or process in scaled
        assert ("replicas" in found["spec"]) != owned, process
        assert owned or process == "auditor" or found["spec"]["replicas"] >= 2, process
    assert not objects("small", "HorizontalPodAutoscaler")


def test_workers_scale_with_the_outboxes_of_their_publishers() -> None:
    scaled, authentications = objects("ha", "ScaledObject"), objects("ha", "TriggerAuthentication")
    triggers = scaled["balance-worker"]["spec"]["triggers"]
    assert {each["authenticationRef"]["name"] for each in triggers} == {
        "fastcheck-outbox-checks",
        "fastcheck-outbox-payments",
    }
    assert all("subscriber = 'balance'" in each["metadata"]["query"] for each in triggers)
    (own,) = scaled["checks-relay"]["spec"]["triggers"]
    assert "subscriber" not in own["metadata"]["query"]
    assert set(authentications) == {"outbox-checks", "outbox-payments"}


def test_ha_cluster_confirms_commits_on_a_standby_and_the_chart_rejects_asynchronous_replication() -> None:
    spec = objects("ha", "Cluster")["postgres"]["spec"]
    assert spec["instances"] == 3
    assert spec["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "required"}
    values = helm_chart.values("ha")
    values["postgres"]["cloudnativepg"]["synchronousStandbys"] = 0
    with pytest.raises(helm_python.HelmError, match="synchronousStandbys must be at least 1"):
        helm_chart.render(values)


def test_servers_of_the_release_bring_their_own_credentials() -> None:
    (provision,) = objects("ha", "Job")["provision"]["spec"]["template"]["spec"]["containers"]
    administrator = ("fastcheck-postgres-superuser", "uri")
    assert secret_keys(provision)["FASTCHECK_ADMINISTRATOR_DATABASE_URL"] == administrator
    (worker,) = objects("ha", "Deployment")["checks-worker"]["spec"]["template"]["spec"]["containers"]
    broker = ("fastcheck-rabbitmq-default-user", "connection_string")
    assert secret_keys(worker)["FASTCHECK_BROKER_URL"] == broker
    (external,) = objects("external", "Deployment")["checks-worker"]["spec"]["template"]["spec"]["containers"]
    assert secret_keys(external)["FASTCHECK_BROKER_URL"] == ("fastcheck-secrets", "FASTCHECK_BROKER_URL")


def test_override_of_one_process_leaves_the_others_as_they_are() -> None:
    values = helm_chart.values("external") | {"processes": {"checks-worker": {"replicas": 5}}}
    replicas = {
        each["metadata"]["name"]: each["spec"].get("replicas")
        for each in helm_chart.render(values)
        if each["kind"] == "Deployment"
    }
    assert replicas["fastcheck-checks-worker"] == 5
    assert replicas["fastcheck-payments-worker"] == 2
