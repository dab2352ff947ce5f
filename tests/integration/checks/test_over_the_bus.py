"""The money arrives over the bus: real processes, a real broker, nothing stands in for anything."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.integration.checks.world import PUBLIC_KEYS, World
from tests.support.eventually import eventually
from tests.support.system import ROOT, environment

ROLES = ("checks worker", "checks relay", "checks scheduler", "balance worker")


@contextmanager
def _process(role: str, world: World, log: Path) -> Iterator[None]:
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
        "FASTCHECK_ENVIRONMENT": "sandbox",
        "FASTCHECK_CLOCK_OFFSET_SECONDS": "120",
    }
    command = [sys.executable, "-m", f"services.{service}.worker", name]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(settings), stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
        sys.stdout.write(log.read_text())


def test_money_comes_by_the_event_when_the_command_did_not(world: World, tmp_path: Path) -> None:
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
            processes.enter_context(_process(role, world, tmp_path / f"{role}.log"))
        eventually(lambda: world.money_of(boris) == 1_000, timeout=30)
        # The cancelled check and the one that the schedule has expired are back; the one that was left pending is held.
        eventually(lambda: world.money_of(anna) == 8_500, timeout=30)
        eventually(lambda: world.open_events() == 0, timeout=30)
    assert world.money_in_escrow() == 500
    assert world.rows("SELECT status, count(*) AS n FROM checks GROUP BY status ORDER BY status") == [
        {"status": status, "n": 1} for status in ("active", "cancelled", "expired", "used")
    ]
