"""Each process is told what is its own, and nothing that is another's."""

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
def test_a_process_gets_all_that_its_service_lists(service: Service) -> None:
    environment = process_environment(service, settings())
    assert set(service.variables) <= environment.keys()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_process_gets_no_database_and_no_private_key_of_another(service: Service) -> None:
    environment = process_environment(service, settings())
    own = {service.database_variable, f"FASTCHECK_{service.name.upper()}_TOKEN_KEY"}
    secret = {name for name in environment if name.endswith(("_DATABASE_URL", "_TOKEN_KEY"))}
    assert secret <= own


def test_only_checks_can_read_codes_and_only_the_bus_has_the_broker() -> None:
    have = {
        variable: {service.name for service in SERVICES if variable in process_environment(service, settings())}
        for variable in ("FASTCHECK_CODE_KEYS", "FASTCHECK_BROKER_URL", "FASTCHECK_TBANK_PASSWORD")
    }
    assert have == {
        "FASTCHECK_CODE_KEYS": {"checks"},
        "FASTCHECK_BROKER_URL": {"balance", "checks", "payments"},
        "FASTCHECK_TBANK_PASSWORD": {"payments", "sandbox_bank"},
    }


def test_what_the_user_has_set_wins_and_a_tuning_knob_reaches_everybody() -> None:
    user = {"FASTCHECK_BALANCE_DATABASE_URL": "postgresql+psycopg2://elsewhere/b", "FASTCHECK_OUTBOX_BATCH_SIZE": "7"}
    environments = {service.name: process_environment(service, settings(user)) for service in SERVICES}
    assert environments["balance"]["FASTCHECK_BALANCE_DATABASE_URL"] == "postgresql+psycopg2://elsewhere/b"
    assert "FASTCHECK_BALANCE_DATABASE_URL" not in environments["checks"]
    assert all(environment["FASTCHECK_OUTBOX_BATCH_SIZE"] == "7" for environment in environments.values())


def test_a_secret_that_nobody_lists_reaches_nobody() -> None:
    user = {"FASTCHECK_ADMINISTRATOR_DATABASE_URL": "postgresql://postgres:x@elsewhere/postgres"}
    environments = [process_environment(service, settings(user)) for service in SERVICES]
    assert not any(user.keys() & environment.keys() for environment in environments)


def test_an_empty_variable_is_not_set() -> None:
    found = user_settings({"FASTCHECK_BANK": "", "FASTCHECK_LOG_LEVEL": "DEBUG", "HOME": "/x"})
    assert found == {"FASTCHECK_LOG_LEVEL": "DEBUG"}


def test_public_keys_belong_to_the_private_ones() -> None:
    made = credentials.generate()
    told = system_settings(made, ADDRESSES, public_url=PUBLIC_URL, user={})["FASTCHECK_TOKEN_PUBLIC_KEYS"]
    assert json.loads(told) == {caller: credentials.public_key(key) for caller, key in made.token_keys.items()}


def test_command_lines() -> None:
    web = web_command(BY_NAME["checks"], host="127.0.0.1", port=9)
    assert web[:2] == ["-m", "granian"]
    assert "services.checks.app:create_app" in web
    assert bus_command(BY_NAME["checks"], "relay") == ["-m", "services.checks.worker", "relay"]
