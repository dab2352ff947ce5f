"""A small town whose books are complete: every way that money can go, gone by the real code of all services."""

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
from services.checks import tasks as checks_tasks
from services.payments.config import PaymentsSettings
from services.payments.context import Context as PaymentsContext
from services.payments.models import TopUp, order_id_of
from services.payments.notifications.repository import Evidence
from services.payments.notifications.service import apply_notification
from services.payments.refunds import service as refunds
from services.payments.refunds.models import Refund, WantedRefund
from services.payments.topups import service as payments
from services.payments.topups.opening import WantedTopUp
from tests.integration.audit.bank import PaperBank
from tests.integration.checks.world import World, opened
from tests.support import databases
from tests.support.servers import Servers

SERVICES: Final = ("checks", "payments", "balance", "sandbox_bank")
#: Nothing here goes over a broker: what a relay would carry, :meth:`Town.deliver` carries.
NO_BROKER: Final = "redis://127.0.0.1:1/0"
REDELIVER_AT_ONCE: Final = BusSettings(broker_url=SecretStr(NO_BROKER), outbox_resend_seconds=0)


class _RefundsOverNoNetwork:
    """What balance's routes of refunds do, without the way there."""

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
class Town:
    """The services over four databases, and what happens in town."""

    world: World
    payments: PaymentsContext
    bank: PaperBank
    balance: Database
    names: dict[str, str]
    #: What was done, by a short name: a check, a top-up, a person.
    ids: dict[str, str] = field(default_factory=dict)

    def start_topup(self, user_id: UUID, amount_minor: int) -> UUID:
        wanted = WantedTopUp(user_id, amount_minor, "RUB", "https://fastcheck.example/back")
        return payments.start_topup(self.payments, wanted, None).topup.topup_id

    def hear(self, topup_id: UUID, *, paid: bool = True) -> None:
        """The bank decides, and its word arrives."""
        order_id = order_id_of(topup_id, 1)
        said = self.bank.pays(order_id) if paid else self.bank.rejects(order_id)
        apply_notification(self.payments, self.bank, said, Evidence("webhook"))

    def top_up(self, user_id: UUID, amount_minor: int) -> UUID:
        topup_id = self.start_topup(user_id, amount_minor)
        self.hear(topup_id)
        self.deliver()
        return topup_id

    def refund(self, topup_id: UUID, amount_minor: int) -> str:
        wanted = WantedRefund(uuid4(), topup_id, amount_minor, "olga", "the customer asked")
        return str(refunds.request_refund(self.payments, wanted).refund_id)

    def deliver(self, *, handlers: Mapping[str, Any] = HANDLERS, attempts: int = 5) -> None:
        """Carry every open event to balance and its acknowledgement back."""
        for service, db in (("checks", self.world.context.db), ("payments", self.payments.db)):
            inbox = Inbox(self.balance, handlers, max_attempts=attempts)
            with db.autocommit() as tx:
                tx.execute(text("UPDATE outbox SET available_at = now() WHERE closed_at IS NULL"))
                due = outbox.claim_due(tx, limit=1_000, resend_seconds=0, resend_max_seconds=0)
                finished = inbox.receive(service, [item.envelope for item in due])
                outbox.close(tx, "balance", finished)


@contextmanager
def built(servers: Servers) -> Iterator[Town]:
    """An empty town on fresh databases; the databases stay when the block ends, and nobody is connected to them."""
    names = {service: databases.create(servers, service) for service in SERVICES}
    urls = {service: databases.url(servers, service, name) for service, name in names.items()}
    with opened(checks_url=urls["checks"], balance_url=urls["balance"], redis_url=NO_BROKER) as world:
        balance = Database(urls["balance"], settings=DatabaseSettings(), application_name="test")
        bank = PaperBank(Database(urls["sandbox_bank"], settings=DatabaseSettings(), application_name="test"))
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
            balance=_RefundsOverNoNetwork(balance),  # type: ignore[arg-type]
        )
        try:
            yield Town(world, context, bank, balance, names)
        finally:
            for db in (balance, bank.db, context.db):
                db.dispose()


def live(town: Town) -> None:
    """Everything that can happen, once; then the chain is sealed; then a little more."""
    _past(town)
    chain.seal(town.balance, block_size=4)
    for number in range(2):
        with town.balance.transaction() as tx:
            operator_actions.record(
                tx, operator="olga", action="note", subject=f"note {number}", reason="a test", details={"n": number}
            )
    _present(town)


def _past(town: Town) -> None:
    world, ids = town.world, town.ids
    anna, boris, vera = uuid4(), uuid4(), uuid4()
    ids |= {"anna": str(anna), "boris": str(boris), "vera": str(vera)}
    ids["topup"] = str(town.top_up(anna, 100_000))
    ids["topup of boris"] = str(town.top_up(boris, 50_000))
    ids["refunded topup"] = str(town.top_up(vera, 30_000))
    short = world.create(anna, 1_000, expiresIn=60)
    world.clock.move(seconds=61)
    checks_tasks.expire_due_checks(world.context)
    town.deliver()
    used, used_too = world.create(anna, 15_000), world.create(boris, 7_000)
    cancelled, active, active_too = world.create(anna, 2_000), world.create(anna, 5_000), world.create(boris, 3_000)
    assert world.accept(boris, used).status_code == 200
    assert world.accept(vera, used_too).status_code == 200
    assert world.cancel(anna, cancelled).status_code == 200
    assert world.try_create(vera, 900_000).status_code == 409
    ids["refund"] = town.refund(UUID(ids["refunded topup"]), 4_000)
    town.bank.refuses_refunds = True
    ids["returned refund"] = town.refund(UUID(ids["refunded topup"]), 6_000)
    town.bank.refuses_refunds = False
    _surplus(town, vera)
    world.context.acknowledger.flush()
    town.deliver()
    for name, check in (
        ("expired", short), ("used", used), ("used too", used_too), ("cancelled", cancelled), ("active", active),
        ("active too", active_too),
    ):  # fmt: skip
        ids[name] = str(world.stored(check)["check_id"])
    ids["rejected"] = str(world.rows("SELECT check_id FROM checks WHERE status = 'rejected'")[0]["check_id"])


def _surplus(town: Town, user_id: UUID) -> None:
    """Money that comes too late, and is not credited: one card takes it back, the other does not."""
    strict = replace(town.payments, settings=town.payments.settings.model_copy(update={"topup_credit_late": False}))
    for name, refuses in (("surplus", False), ("returned surplus", True)):
        topup_id = town.start_topup(user_id, 9_000 + refuses)
        with town.payments.db.autocommit() as tx:
            expired = "UPDATE topups SET status = 'expired', next_poll_at = NULL WHERE topup_id = :id"
            tx.execute(text(expired), {"id": topup_id})
        apply_notification(strict, town.bank, town.bank.pays(order_id_of(topup_id, 1)), Evidence("webhook"))
        town.bank.refuses_refunds = refuses
        assert refunds.pursue_due(town.payments, limit=10) == 1
        town.bank.refuses_refunds = False
        town.ids[f"{name} topup"] = str(topup_id)
        with town.payments.db.autocommit() as tx:
            found = tx.execute(text("SELECT refund_id FROM refunds WHERE topup_id = :id"), {"id": topup_id})
            town.ids[f"{name} refund"] = str(found.scalar_one())


def _present(town: Town) -> None:
    """What is not sealed yet, and what is on its way."""
    world, ids = town.world, town.ids
    anna, boris = UUID(ids["anna"]), UUID(ids["boris"])
    ids["pending topup"] = str(town.start_topup(anna, 11_000))
    ids["failed topup"] = str(failed := town.start_topup(anna, 12_000))
    town.hear(failed, paid=False)
    ids["late topup"] = str(town.top_up(anna, 13_000))
    late = world.create(anna, 6_000)
    assert world.accept(boris, late).status_code == 200
    world.context.acknowledger.flush()
    town.deliver()
    on_its_way = world.create(anna, 8_000)
    world.balance.down()
    assert world.accept(boris, on_its_way).status_code == 200
    assert world.try_create(anna, 500).status_code == 503
    ids["credit on its way"] = str(coming := town.start_topup(boris, 14_000))
    town.hear(coming)
    ids["paid at the bank"] = str(unheard := town.start_topup(boris, 16_000))
    town.bank.pays(order_id_of(unheard, 1))
    for name, check in (("late", late), ("on its way", on_its_way)):
        ids[name] = str(world.stored(check)["check_id"])
    ids["pending"] = str(world.rows("SELECT check_id FROM checks WHERE status = 'pending'")[0]["check_id"])
