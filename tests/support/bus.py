"""Bus processes of a test, stopped at its end."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import text

from common.bus import outbox
from common.bus.process import READY_FILE_VARIABLE
from common.bus.signatures import MessageKeys
from common.contracts.events import PaymentConfirmed
from common.db.engine import Database
from deploy import credentials
from launcher.children import Child, Launch
from services.balance.models import user_account_id
from tests.support.eventually import eventually
from tests.support.system import ROOT

#: The keys of all services, for tests that start single processes.
SECRETS: Final = credentials.generate()


def keys_of(service: str) -> MessageKeys:
    """Return the keys with which a service signs and verifies messages in these tests."""
    return MessageKeys(service, SECRETS.token_keys[service], SECRETS.public_keys())


@contextmanager
def bus_process(folder: Path, module: str, role: str, settings: Mapping[str, str]) -> Iterator[Child]:
    """Run ``python -m <module> <role>``; enter the block when the process is ready."""
    name = f"{module.rsplit('.', 1)[-1]}-{role}-{len(list(folder.iterdir()))}"
    ready = folder / f"{name}.ready"
    child = Child(
        Launch(
            name=name,
            command=[sys.executable, "-m", module, role],
            env={"PATH": os.environ["PATH"], **settings, READY_FILE_VARIABLE: str(ready)},
            log=folder / f"{name}.log",
            cwd=ROOT,
        )
    )
    try:
        eventually(ready.exists, timeout=30)
        yield child
    finally:
        child.ask_to_stop()
        eventually(lambda: child.poll() is not None, timeout=30)
        child.end_group()


@dataclass(frozen=True, slots=True)
class Bus:
    """Starts the processes between a publisher and balance on request."""

    folder: Path
    stack: ExitStack
    settings: dict[str, str]
    started: list[Child] = field(default_factory=list)

    def start(self, module: str, role: str, **settings: str) -> Child:
        child = self.stack.enter_context(bus_process(self.folder, module, role, {**self.settings, **settings}))
        self.started.append(child)
        return child

    def ask_to_stop(self) -> None:
        """Send all processes their stop signal; they stop in parallel."""
        for child in self.started:
            child.ask_to_stop()

    def relay(self) -> Child:
        return self.start("tests.support.bus_process", "relay")

    def acknowledgements(self) -> Child:
        return self.start("tests.support.bus_process", "worker")

    def scheduler(self) -> Child:
        return self.start("tests.support.bus_process", "scheduler")

    def consumer(self) -> Child:
        return self.start("services.balance.worker", "worker")


def confirmed(user_id: UUID, amount_minor: int = 100) -> PaymentConfirmed:
    """Return the event of a confirmed top-up."""
    return PaymentConfirmed(uuid4(), user_id, "tbank", amount_minor, "RUB", datetime.now(UTC))


def publish(db: Database, *events: PaymentConfirmed, delay_seconds: float = 0) -> None:
    """Write events into the outbox in one transaction."""
    with db.transaction() as tx:
        outbox.add_all(tx, events, delay_seconds=delay_seconds)


def open_events(db: Database) -> int:
    """Return the number of unacknowledged events of this publisher."""
    with db.autocommit() as tx:
        return outbox.backlog(tx).open


def balance_of(db: Database, user_id: UUID) -> int:
    """Return a user's balance in the ledger, in minor units."""
    with db.autocommit() as tx:
        found = tx.execute(
            text("SELECT balance_minor FROM accounts WHERE account_id = :id"), {"id": user_account_id(user_id, "RUB")}
        )
        return int(found.scalar_one_or_none() or 0)


def total(db: Database) -> int:
    """Return the sum of all user balances, in minor units."""
    with db.autocommit() as tx:
        return int(tx.execute(text("SELECT COALESCE(sum(balance_minor), 0) FROM accounts")).scalar_one())


def has_more_than(db: Database, amount_minor: int) -> bool:
    """Return whether the sum of all user balances exceeds this amount."""
    return total(db) > amount_minor
