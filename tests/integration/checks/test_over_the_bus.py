"""Settlement by event, with real processes and a real broker."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import make_url

from tests.integration.checks.checks_system import PUBLIC_KEYS, ChecksSystem
from tests.support import databases
from tests.support.eventually import eventually
from tests.support.servers import Servers
from tests.support.system import ROOT, environment

ROLES = ("checks worker", "checks relay", "checks scheduler", "balance worker")


@contextmanager
def _process(role: str, system: ChecksSystem, servers: Servers, log: Path) -> Iterator[None]:
    service, name = role.split()
    checks, balance = system.context.settings, system.balance.settings
    settings = {
        "FASTCHECK_CHECKS_DATABASE_URL": checks.checks_database_url.get_secret_value(),
        "FASTCHECK_CHECKS_DIRECT_DATABASE_URL": databases.direct_url(
            servers, "checks", str(make_url(system.context.db.url).database)
        ),
        "FASTCHECK_BALANCE_DATABASE_URL": balance.balance_database_url.get_secret_value(),
        "FASTCHECK_BROKER_URL": checks.broker_url.get_secret_value(),
        "FASTCHECK_CHECKS_TOKEN_KEY": checks.checks_token_key.get_secret_value(),
        "FASTCHECK_BALANCE_TOKEN_KEY": balance.balance_token_key.get_secret_value(),
        "FASTCHECK_CODE_KEYS": checks.code_keys.get_secret_value(),
        "FASTCHECK_TOKEN_PUBLIC_KEYS": json.dumps(PUBLIC_KEYS),
        "FASTCHECK_BALANCE_URL": checks.balance_url,
        "FASTCHECK_PUBLIC_URL": checks.public_url,
        "FASTCHECK_EXPIRY_SWEEP_SECONDS": "0.5",
        "FASTCHECK_PENDING_SWEEP_SECONDS": "0.5",
        # The processes use the machine's clock, which must be past the expiration of the third check.
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


def test_event_delivers_the_money_when_the_synchronous_call_failed(
    system: ChecksSystem, test_servers: Servers, tmp_path: Path
) -> None:
    creator, recipient = system.new_user(10_000), system.new_user()
    accepted, cancelled = system.create(creator, 1_000), system.create(creator, 2_000)
    system.create(creator, 3_000, expiresIn=60)
    system.balance.down()
    assert system.try_create(creator, 500).status_code == 503
    assert system.accept(recipient, accepted).status_code == 200
    assert system.cancel(creator, cancelled).status_code == 200
    system.balance.up()
    assert (system.balance_of(creator), system.balance_of(recipient)) == (4_000, 0)
    with ExitStack() as processes:
        for role in ROLES:
            processes.enter_context(_process(role, system, test_servers, tmp_path / f"{role}.log"))
        eventually(lambda: system.balance_of(recipient) == 1_000, timeout=30)
        # The cancelled and the expired check are released; the pending one is held.
        eventually(lambda: system.balance_of(creator) == 8_500, timeout=30)
        eventually(lambda: system.open_events() == 0, timeout=30)
    assert system.escrow_balance() == 500
    assert system.rows("SELECT status, count(*) AS n FROM checks GROUP BY status ORDER BY status") == [
        {"status": status, "n": 1} for status in ("active", "cancelled", "expired", "used")
    ]
