"""The environment of each process: the variables of its service and no others."""

import json

import pytest

from deploy import credentials
from deploy.commands import bus_command, web_command
from deploy.environment import process_environment, system_settings, user_settings
from deploy.services import BY_NAME, SERVICES, Service

ADDRESSES = {name: f"{name}.example:1" for name in ("postgres", "redis", *(service.name for service in SERVICES))}
PUBLIC_URL = "http://fastcheck.example"


def settings(user: dict[str, str] | None = None) -> dict[str, str]:
    return system_settings(credentials.generate(), ADDRESSES, public_url=PUBLIC_URL, user=user or {})


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_process_gets_all_variables_of_its_service(service: Service) -> None:
    environment = process_environment(service, settings())
    assert set(service.variables) <= environment.keys()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_process_gets_no_database_and_no_private_key_of_another_service(service: Service) -> None:
    environment = process_environment(service, settings())
    own = {service.database_variable, f"FASTCHECK_{service.name.upper()}_TOKEN_KEY"}
    secret = {name for name in environment if name.endswith(("_DATABASE_URL", "_TOKEN_KEY"))}
    assert secret <= own


def test_only_services_that_need_a_secret_get_it() -> None:
    have = {
        variable: {service.name for service in SERVICES if variable in process_environment(service, settings())}
        for variable in (
            "FASTCHECK_CODE_KEYS",
            "FASTCHECK_WEBHOOK_KEYS",
            "FASTCHECK_BROKER_URL",
            "FASTCHECK_TBANK_PASSWORD",
        )
    }
    assert have == {
        "FASTCHECK_CODE_KEYS": {"checks"},
        "FASTCHECK_WEBHOOK_KEYS": {"webhooks"},
        "FASTCHECK_BROKER_URL": {"balance", "checks", "payments", "webhooks"},
        "FASTCHECK_TBANK_PASSWORD": {"payments", "sandbox_bank"},
    }


def test_variable_of_the_user_overrides_and_a_common_setting_reaches_all_services() -> None:
    user = {"FASTCHECK_BALANCE_DATABASE_URL": "postgresql+psycopg2://elsewhere/b", "FASTCHECK_OUTBOX_BATCH_SIZE": "7"}
    environments = {service.name: process_environment(service, settings(user)) for service in SERVICES}
    assert environments["balance"]["FASTCHECK_BALANCE_DATABASE_URL"] == "postgresql+psycopg2://elsewhere/b"
    assert "FASTCHECK_BALANCE_DATABASE_URL" not in environments["checks"]
    assert all(environment["FASTCHECK_OUTBOX_BATCH_SIZE"] == "7" for environment in environments.values())


def test_secret_that_no_service_lists_reaches_no_process() -> None:
    user = {"FASTCHECK_ADMINISTRATOR_DATABASE_URL": "postgresql://postgres:x@elsewhere/postgres"}
    environments = [process_environment(service, settings(user)) for service in SERVICES]
    assert not any(user.keys() & environment.keys() for environment in environments)


def test_empty_variable_counts_as_unset() -> None:
    found = user_settings({"FASTCHECK_BANK": "", "FASTCHECK_LOG_LEVEL": "DEBUG", "HOME": "/x"})
    assert found == {"FASTCHECK_LOG_LEVEL": "DEBUG"}


def test_public_keys_match_the_private_keys() -> None:
    made = credentials.generate()
    public_keys = system_settings(made, ADDRESSES, public_url=PUBLIC_URL, user={})["FASTCHECK_TOKEN_PUBLIC_KEYS"]
    assert json.loads(public_keys) == {caller: credentials.public_key(key) for caller, key in made.token_keys.items()}


def test_command_lines_start_granian_and_the_workers() -> None:
    web = web_command(BY_NAME["checks"], host="127.0.0.1", port=9)
    assert web[:2] == ["-m", "granian"]
    assert "services.checks.app:create_app" in web
    assert bus_command(BY_NAME["checks"], "relay") == ["-m", "services.checks.worker", "relay"]
