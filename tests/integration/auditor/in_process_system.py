"""Checks, payments and balance in one process over real databases, and the sample books of the audit tests.

The sample books contain every path that money can take, produced by the services' own code.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlalchemy import text

from common.bus import operator_actions, outbox
from common.bus.inbox import Inbox
from common.core.settings import BusSettings, DatabaseSettings
from common.db.engine import Database
from services.balance import chain
from services.balance import service as ledger
from services.balance.errors import InsufficientFunds
from services.balance.handlers import HANDLERS
from services.balance.models import Posting, TransferKind
from services.checks.lifecycle import tasks as checks_tasks
from services.payments.config import PaymentsSettings
from services.payments.context import Context as PaymentsContext
from services.payments.models import TopUp, order_id_of
from services.payments.notifications.repository import Evidence
from services.payments.notifications.service import apply_notification
from services.payments.refunds import service as refunds
from services.payments.refunds.models import NewRefund, Refund
from services.payments.topups import service as payments
from services.payments.topups.opening import NewTopUp
from tests.integration.auditor.fake_bank import FakeBank
from tests.integration.checks.checks_system import ChecksSystem, running_checks
from tests.support import databases
from tests.support.servers import Servers

SERVICES: Final = ("checks", "payments", "balance", "sandbox_bank")
#: No broker: :meth:`InProcessSystem.deliver` carries the events that a relay would send.
NO_BROKER: Final = "redis://127.0.0.1:1/0"
REDELIVER_AT_ONCE: Final = BusSettings(broker_url=SecretStr(NO_BROKER), outbox_resend_seconds=0)


class _DirectRefundClient:
    """Call balance's ledger directly, as its refund routes do, without HTTP."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def take_refund(self, refund: Refund, topup: TopUp) -> bool:
        try:
            ledger.debit(self._db, self._posting(TransferKind.TOPUP_REFUNDED, refund, topup))
        except InsufficientFunds:
            return False
        return True

    def return_refund(self, refund: Refund, topup: TopUp) -> None:
        ledger.credit(self._db, self._posting(TransferKind.TOPUP, refund, topup))

    @staticmethod
    def _posting(kind: TransferKind, refund: Refund, topup: TopUp) -> Posting:
        return Posting(kind, refund.refund_id, topup.user_id, refund.amount_minor, topup.currency, str(topup.topup_id))


@dataclass
class InProcessSystem:
    """The services over four databases, and the operations that tests perform on them."""

    checks: ChecksSystem
    payments: PaymentsContext
    bank: FakeBank
    balance: Database
    names: dict[str, str]
    #: Id by short name: a check, a top-up, a refund, a user.
    ids: dict[str, str] = field(default_factory=dict)

    def start_topup(self, user_id: UUID, amount_minor: int) -> UUID:
        wanted = NewTopUp(user_id, amount_minor, "RUB", "https://fastcheck.example/back")
        return payments.start_topup(self.payments, wanted, None).topup.topup_id

    def notify(self, topup_id: UUID, *, paid: bool = True) -> None:
        """Let the bank confirm or decline the payment and deliver its notification."""
        order_id = order_id_of(topup_id, 1)
        notification = self.bank.confirm(order_id) if paid else self.bank.decline(order_id)
        apply_notification(self.payments, self.bank, notification, Evidence("webhook"))

    def top_up(self, user_id: UUID, amount_minor: int) -> UUID:
        topup_id = self.start_topup(user_id, amount_minor)
        self.notify(topup_id)
        self.deliver()
        return topup_id

    def refund(self, topup_id: UUID, amount_minor: int) -> str:
        wanted = NewRefund(uuid4(), topup_id, amount_minor, "olga", "the customer asked")
        return str(refunds.request_refund(self.payments, wanted).refund_id)

    def deliver(self, *, handlers: Mapping[str, Any] = HANDLERS, attempts: int = 5) -> None:
        """Deliver every open event to balance and record the acknowledgements."""
        for service, db in (("checks", self.checks.context.db), ("payments", self.payments.db)):
            inbox = Inbox(self.balance, handlers, max_attempts=attempts)
            with db.autocommit() as tx:
                tx.execute(text("UPDATE outbox SET available_at = now() WHERE closed_at IS NULL"))
                due = outbox.claim_due(tx, limit=1_000, resend_seconds=0, resend_max_seconds=0)
                finished = inbox.receive(service, [item.envelope for item in due])
                outbox.close(tx, "balance", finished)


@contextmanager
def in_process_system(servers: Servers) -> Iterator[InProcessSystem]:
    """Open a system on fresh databases. They remain after the block, without open connections."""
    names = {service: databases.create(servers, service) for service in SERVICES}
    urls = {service: databases.url(servers, service, name) for service, name in names.items()}
    with running_checks(checks_url=urls["checks"], balance_url=urls["balance"], redis_url=NO_BROKER) as checks:
        balance = Database(urls["balance"], settings=DatabaseSettings(), application_name="test")
        bank = FakeBank(Database(urls["sandbox_bank"], settings=DatabaseSettings(), application_name="test"))
        settings = PaymentsSettings.model_validate(
            {
                "environment": "sandbox",
                "payments_database_url": SecretStr(urls["payments"]),
                "public_url": "https://fastcheck.example",
                "broker_url": SecretStr(NO_BROKER),
                "token_public_keys": {},
            }
        )
        context = replace(
            PaymentsContext.open(settings, "test", banks={"tbank": bank}),
            balance=_DirectRefundClient(balance),  # type: ignore[arg-type]
        )
        try:
            yield InProcessSystem(checks, context, bank, balance, names)
        finally:
            for db in (balance, bank.db, context.db):
                db.dispose()


def populate(system: InProcessSystem) -> None:
    """Perform every kind of operation, seal the chain, then add a few unsealed and unfinished operations."""
    _add_sealed(system)
    chain.seal(system.balance, block_size=4)
    for number in range(2):
        with system.balance.transaction() as tx:
            operator_actions.record(
                tx, operator="olga", action="note", subject=f"note {number}", reason="a test", details={"n": number}
            )
    _add_unsealed(system)


def _add_sealed(system: InProcessSystem) -> None:
    checks, ids = system.checks, system.ids
    alice, bob, carol = uuid4(), uuid4(), uuid4()
    ids |= {"alice": str(alice), "bob": str(bob), "carol": str(carol)}
    ids["topup"] = str(system.top_up(alice, 100_000))
    ids["topup of bob"] = str(system.top_up(bob, 50_000))
    ids["refunded topup"] = str(system.top_up(carol, 30_000))
    short = checks.create(alice, 1_000, expiresIn=60)
    checks.clock.move(seconds=61)
    checks_tasks.expire_due_checks(checks.context)
    system.deliver()
    used, second_used = checks.create(alice, 15_000), checks.create(bob, 7_000)
    cancelled, active, second_active = (
        checks.create(alice, 2_000),
        checks.create(alice, 5_000),
        checks.create(bob, 3_000),
    )
    assert checks.accept(bob, used).status_code == 200
    assert checks.accept(carol, second_used).status_code == 200
    assert checks.cancel(alice, cancelled).status_code == 200
    assert checks.try_create(carol, 900_000).status_code == 409
    ids["refund"] = system.refund(UUID(ids["refunded topup"]), 4_000)
    system.bank.rejects_refunds = True
    ids["returned refund"] = system.refund(UUID(ids["refunded topup"]), 6_000)
    system.bank.rejects_refunds = False
    _add_surplus(system, carol)
    checks.context.acknowledger.flush()
    system.deliver()
    for name, check in (
        ("expired", short), ("used", used), ("second used", second_used), ("cancelled", cancelled), ("active", active),
        ("second active", second_active),
    ):  # fmt: skip
        ids[name] = str(checks.stored(check)["check_id"])
    ids["rejected"] = str(checks.rows("SELECT check_id FROM checks WHERE status = 'rejected'")[0]["check_id"])


def _add_surplus(system: InProcessSystem, user_id: UUID) -> None:
    """Add two payments that arrive after expiry: the bank accepts the refund of one and rejects the other."""
    strict = replace(system.payments, settings=system.payments.settings.model_copy(update={"topup_credit_late": False}))
    for name, is_rejected in (("surplus", False), ("returned surplus", True)):
        topup_id = system.start_topup(user_id, 9_000 + is_rejected)
        with system.payments.db.autocommit() as tx:
            expired = "UPDATE topups SET status = 'expired', next_poll_at = NULL WHERE topup_id = :id"
            tx.execute(text(expired), {"id": topup_id})
        apply_notification(strict, system.bank, system.bank.confirm(order_id_of(topup_id, 1)), Evidence("webhook"))
        system.bank.rejects_refunds = is_rejected
        assert refunds.pursue_due(system.payments, limit=10) == 1
        system.bank.rejects_refunds = False
        system.ids[f"{name} topup"] = str(topup_id)
        with system.payments.db.autocommit() as tx:
            found = tx.execute(text("SELECT refund_id FROM refunds WHERE topup_id = :id"), {"id": topup_id})
            system.ids[f"{name} refund"] = str(found.scalar_one())


def _add_unsealed(system: InProcessSystem) -> None:
    """Add operations after the last sealed block, some of them unfinished."""
    checks, ids = system.checks, system.ids
    alice, bob = UUID(ids["alice"]), UUID(ids["bob"])
    ids["pending topup"] = str(system.start_topup(alice, 11_000))
    ids["failed topup"] = str(failed := system.start_topup(alice, 12_000))
    system.notify(failed, paid=False)
    ids["late topup"] = str(system.top_up(alice, 13_000))
    late = checks.create(alice, 6_000)
    assert checks.accept(bob, late).status_code == 200
    checks.context.acknowledger.flush()
    system.deliver()
    in_flight = checks.create(alice, 8_000)
    checks.balance.down()
    assert checks.accept(bob, in_flight).status_code == 200
    assert checks.try_create(alice, 500).status_code == 503
    ids["credit in flight"] = str(confirmed := system.start_topup(bob, 14_000))
    system.notify(confirmed)
    ids["paid at the bank"] = str(not_notified := system.start_topup(bob, 16_000))
    system.bank.confirm(order_id_of(not_notified, 1))
    for name, check in (("late", late), ("in flight", in_flight)):
        ids[name] = str(checks.stored(check)["check_id"])
    ids["pending"] = str(checks.rows("SELECT check_id FROM checks WHERE status = 'pending'")[0]["check_id"])
