"""The money arrives over the bus: real processes, a real broker, nothing stands in for anything."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.integration.checks.world import PUBLIC_KEYS, World
from tests.support.eventually import eventually
from tests.support.system import ROOT, environment

ROLES = ("checks worker", "checks relay", "checks scheduler", "balance worker")


@contextmanager
def _process(role: str, world: World) -> Iterator[None]:
    service, name = role.split()
    checks, balance = world.context.settings, world.balance.settings
    settings = {
        "FASTCHECK_CHECKS_DATABASE_URL": checks.checks_database_url.get_secret_value(),
        "FASTCHECK_BALANCE_DATABASE_URL": balance.balance_database_url.get_secret_value(),
        "FASTCHECK_BROKER_URL": checks.broker_url.get_secret_value(),
        "FASTCHECK_CHECKS_TOKEN_KEY": checks.checks_token_key.get_secret_value(),
        "FASTCHECK_CODE_KEYS": checks.code_keys.get_secret_value(),
        "FASTCHECK_TOKEN_PUBLIC_KEYS": json.dumps(PUBLIC_KEYS),
        "FASTCHECK_BALANCE_URL": checks.balance_url,
        "FASTCHECK_PUBLIC_URL": checks.public_url,
        "FASTCHECK_EXPIRY_SWEEP_SECONDS": "0.5",
        "FASTCHECK_PENDING_SWEEP_SECONDS": "0.5",
        # The processes have the machine's clock: what the test has moved, they must have moved too.
        "FASTCHECK_CLOCK_OFFSET_SECONDS": "120",
    }
    command = [sys.executable, "-m", f"services.{service}.worker", name]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            output, _ = process.communicate(timeout=30)
            if os.environ.get("PYTEST_CURRENT_TEST"):
                sys.stdout.write(output)


def test_money_comes_by_the_event_when_the_command_did_not(world: World) -> None:
    anna, boris = world.person(10_000), world.person()
    accepted, cancelled = world.create(anna, 1_000), world.create(anna, 2_000)
    world.create(anna, 3_000, expiresIn=60)
    world.balance.down()
    assert world.try_create(anna, 500).status_code == 503
    assert world.accept(boris, accepted).status_code == 200
    assert world.cancel(anna, cancelled).status_code == 200
    world.balance.up()
    assert (world.money_of(anna), world.money_of(boris)) == (4_000, 0)
    with ExitStack() as processes:
        for role in ROLES:
            processes.enter_context(_process(role, world))
        eventually(lambda: world.money_of(boris) == 1_000, timeout=30)
        # The cancelled check and the one that the schedule has expired are back; the one that was left pending is held.
        eventually(lambda: world.money_of(anna) == 8_500, timeout=30)
        eventually(lambda: world.open_events() == 0, timeout=30)
    assert world.money_in_escrow() == 500
    assert world.rows("SELECT status, count(*) AS n FROM checks GROUP BY status ORDER BY status") == [
        {"status": status, "n": 1} for status in ("active", "cancelled", "expired", "used")
    ]


@pytest.mark.parametrize("arguments", [[], ["cook"], ["worker", "relay"]])
def test_an_unknown_role_is_told_so(arguments: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "services.checks.worker", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert result.returncode != 0
    assert "worker|scheduler|relay" in result.stderr
