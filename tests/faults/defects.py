"""The catalogue of planted defects: mistakes that are typical for distributed systems.

Each defect patches the running services. A harness that a defect names in ``detected_by`` must report a violation while
the defect is planted; its tests are parametrized with :func:`detected_by`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal
from unittest.mock import patch
from uuid import UUID

from sqlalchemy import Connection, Transaction, text
from sqlalchemy.exc import DBAPIError

from common.bus import outbox, publishing
from common.bus.inbox import Inbox
from common.bus.signatures import MessageKeys
from common.contracts.envelope import Envelope
from common.contracts.events import unpack
from common.core.errors import ServiceUnavailable
from common.db import idempotency
from common.db.engine import Database
from common.db.errors import retry_on_conflict
from services.balance import models as balance_models
from services.balance import repository as balance_repository
from services.checks import repository as checks_repository
from services.checks.clients import BalanceClient
from services.checks.codes import repository as codes_repository
from services.checks.lifecycle import repository as lifecycle_repository
from services.checks.models import Check
from services.payments.banks.base import Notification
from services.payments.banks.json_message import parse_object
from services.payments.banks.tbank import TBank
from services.payments.models import order_id_of
from services.payments.topups import opening
from services.payments.topups import repository as payments_repository

Harness = Literal["simulation", "crash_points"]


@dataclass(frozen=True, slots=True)
class Target:
    """The running code that a defect is planted in."""

    #: The Celery application with which balance consumes events.
    consumer: Any
    #: The keys of balance on the bus.
    keys: MessageKeys
    #: Returns a new random id. The simulation derives it from its seed.
    new_id: Callable[[], UUID]


Plant = Callable[[Target], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Defect:
    """``breaks`` states the consequence. The defect is present while the context of ``plant`` is open."""

    name: str
    breaks: str
    detected_by: frozenset[Harness]
    plant: Plant


DEFECTS: Final[dict[str, Defect]] = {}


def detected_by(harness: Harness) -> list[Defect]:
    """Return the defects that a harness must detect."""
    return [defect for defect in DEFECTS.values() if harness in defect.detected_by]


def _defect(*harnesses: Harness) -> Callable[[Plant], Plant]:
    """Add the decorated function to the catalogue, with its docstring as the consequence."""

    def add(plant: Plant) -> Plant:
        name = plant.__name__
        DEFECTS[name] = Defect(name, str(plant.__doc__), frozenset(harnesses), plant)
        return plant

    return add


# -- events


@_defect("simulation")
@contextmanager
def handler_is_not_idempotent(target: Target) -> Iterator[None]:
    """Without an inbox and with random transfer ids, an event that is delivered twice credits twice."""

    def receive(inbox: Inbox, _source: str, envelopes: Sequence[Envelope]) -> list[UUID]:
        for envelope in envelopes:
            with inbox._db.transaction() as tx:
                inbox._handlers[envelope.type](tx, [unpack(envelope)])
        return [envelope.event_id for envelope in envelopes]

    original = balance_models.transfer_id

    def random_for_topups(kind: Any, subject: UUID) -> UUID:
        return target.new_id() if kind == "topup" else original(kind, subject)

    with patch.object(Inbox, "receive", receive), patch.object(balance_models, "transfer_id", random_for_topups):
        yield


@_defect("simulation")
def outbox_row_is_not_written(_: Target) -> AbstractContextManager[Any]:
    """A confirmed payment is never credited, and an expired check is never returned."""
    return patch.object(outbox, "add_all", lambda *_, **__: None)


@_defect("simulation", "crash_points")
@contextmanager
def event_is_written_after_the_commit(_: Target) -> Iterator[None]:
    """A process that dies between the two transactions has promised money without an event that delivers it."""
    late: list[Any] = []
    write, transaction = outbox.add_all, Database.transaction

    @contextmanager
    def then_write(db: Database) -> Iterator[Connection]:
        late.clear()
        with transaction(db) as tx:
            yield tx
        for events in late[:]:
            with db.autocommit() as tx:
                write(tx, events)

    with (
        patch.object(outbox, "add_all", lambda _tx, events, **_: late.append(events)),
        patch.object(Database, "transaction", then_write),
    ):
        yield


@_defect("simulation", "crash_points")
def event_is_closed_when_it_is_sent(_: Target) -> AbstractContextManager[Any]:
    """The broker holds the only copy of an event."""
    claim = outbox.claim_due

    def take_and_close(tx: Connection, **bounds: Any) -> list[outbox.Due]:
        due = claim(tx, **bounds)
        outbox.close(tx, "balance", [item.envelope.event_id for item in due])
        return due

    return patch.object(outbox, "claim_due", take_and_close)


@_defect("simulation", "crash_points")
def event_is_acknowledged_before_the_commit(target: Target) -> AbstractContextManager[Any]:
    """The publisher closes its outbox row although the effect may still fail."""
    receive = Inbox.receive

    def acknowledge_first(inbox: Inbox, source: str, envelopes: Sequence[Envelope]) -> list[UUID]:
        publishing._acknowledge(target.consumer, target.keys, source, [envelope.event_id for envelope in envelopes])
        receive(inbox, source, envelopes)
        return []

    return patch.object(Inbox, "receive", acknowledge_first)


_MARK_PROCESSED: Final = text("""
    UPDATE inbox SET processed_at = now()
     WHERE event_id = ANY(CAST(:event_ids AS uuid[])) AND processed_at IS NULL AND parked_at IS NULL
    RETURNING event_id
""")


@_defect("simulation")
def inbox_row_is_marked_before_the_effect(_: Target) -> AbstractContextManager[Any]:
    """A worker that dies between the two transactions ignores the event when it is delivered again."""

    @retry_on_conflict
    def apply(self: Inbox, envelopes: Sequence[Envelope]) -> list[UUID]:
        with self._db.autocommit() as tx:
            marked = tx.execute(_MARK_PROCESSED, {"event_ids": [envelope.event_id for envelope in envelopes]})
            fresh = {row.event_id for row in marked}
        for envelope in envelopes:
            if envelope.event_id in fresh:
                with self._db.transaction() as tx:
                    self._handlers[envelope.type](tx, [unpack(envelope)])
        return [envelope.event_id for envelope in envelopes]

    return patch.object(Inbox, "_apply", apply)


# -- calls between services


@_defect("simulation")
def hold_is_retried_with_a_new_id(target: Target) -> AbstractContextManager[Any]:
    """The ledger cannot recognize the second attempt and holds the money twice."""
    attempted: set[UUID] = set()
    body = BalanceClient._body

    def with_new_id(check: Check, user_id: object) -> dict[str, object]:
        made = body(check, user_id)
        if check.status == "pending" and check.check_id in attempted:
            made["checkID"] = str(target.new_id())
        attempted.add(check.check_id)
        return made

    return patch.object(BalanceClient, "_body", staticmethod(with_new_id))


@_defect("simulation")
def refusal_is_not_final(_: Target) -> AbstractContextManager[Any]:
    """A refused hold leaves no row, so that a late copy of the request succeeds."""
    return patch.object(balance_repository, "record_refusal", lambda *_: True)


@_defect("simulation", "crash_points")
def unknown_outcome_of_a_hold_is_taken_for_a_refusal(_: Target) -> AbstractContextManager[Any]:
    """The hold may exist although the check is rejected."""
    hold = BalanceClient.hold

    def guess(self: BalanceClient, check: Check) -> bool:
        try:
            return hold(self, check)
        except ServiceUnavailable:
            return False

    return patch.object(BalanceClient, "hold", guess)


@_defect("simulation", "crash_points")
def unknown_outcome_of_a_settlement_is_taken_for_success(_: Target) -> AbstractContextManager[Any]:
    """The command may not have arrived, and the event that repairs it is closed."""
    settle = BalanceClient.settle

    def guess(self: BalanceClient, check: Check) -> None:
        with suppress(ServiceUnavailable):
            settle(self, check)

    return patch.object(BalanceClient, "settle", guess)


@_defect("simulation", "crash_points")
def pending_checks_are_not_finished(_: Target) -> AbstractContextManager[Any]:
    """A check whose creation was interrupted stays pending."""
    return patch("services.checks.lifecycle.service.finish_pending_checks", lambda *_: False)


# -- locks and clocks


@_defect("simulation")
@contextmanager
def check_is_not_locked(_: Target) -> Iterator[None]:
    """Concurrent requests end one check twice: it is read without a lock, and its status is not tested on update."""
    removed = (
        (codes_repository, "_LOCK_FOR_ATTEMPT", "FOR UPDATE"),
        (checks_repository, "_LOCK_OWN", "FOR UPDATE"),
        (lifecycle_repository, "_SAVE_END", "AND status = 'active'"),
    )
    with ExitStack() as stack:
        for module, name, clause in removed:
            statement = text(getattr(module, name).text.replace(clause, ""))
            stack.enter_context(patch.object(module, name, statement))
        yield


@_defect("simulation")
def sweep_does_not_lock(_: Target) -> AbstractContextManager[Any]:
    """The sweep expires a check that is being accepted."""
    patches: dict[str, Any] = {
        "_LOCK_DUE": text(lifecycle_repository._LOCK_DUE.text.replace("FOR UPDATE SKIP LOCKED", "")),
        "_SAVE_EXPIRED": text(lifecycle_repository._SAVE_EXPIRED.text.replace("AND status = 'active'", "")),
    }
    planted: AbstractContextManager[Any] = patch.multiple(lifecycle_repository, **patches)
    return planted


@_defect("simulation")
def attempt_is_evaluated_at_its_arrival_time(_: Target) -> AbstractContextManager[Any]:
    """A request that waited for the lock accepts a check that other clients were told has expired."""
    return patch("services.checks.lifecycle.service.replace", lambda attempt, **_: attempt)


# -- commits and keys


@_defect("simulation")
def failed_commit_is_taken_for_success(_: Target) -> AbstractContextManager[Any]:
    """The client receives a success although nothing was stored."""
    commit = Transaction.commit

    def never_fail(self: Transaction) -> None:
        with suppress(DBAPIError):
            commit(self)

    return patch.object(Transaction, "commit", never_fail)


@_defect("simulation")
def idempotency_key_is_not_stored(_: Target) -> AbstractContextManager[Any]:
    """A repeated request is executed again."""
    return patch("common.db.idempotency.store", lambda *_, **__: None)


@_defect("crash_points")
def effect_is_committed_before_the_idempotency_key(_: Target) -> AbstractContextManager[Any]:
    """A client that repeats its request between the two commits opens two top-ups."""

    def one_after_the_other(context: Any, topup: Any, busy_until: Any, key: Any) -> Any:
        with context.db.transaction() as tx:
            stored = idempotency.claim(tx, key)
        if stored is None:
            with context.db.autocommit() as tx:
                payments_repository.insert(tx, topup, order_id_of(topup.topup_id, 1), busy_until=busy_until)
            with context.db.transaction() as tx:
                idempotency.store(tx, key, 201, b"", topup.topup_id)
        return stored

    return patch.object(opening, "_claim_or_insert", one_after_the_other)


# -- banks


@_defect("simulation")
def notification_signature_is_not_verified(_: Target) -> AbstractContextManager[Any]:
    """A forged notification confirms a payment that was never made."""

    def accept_any(self: TBank, _method: str, _headers: object, raw_body: bytes, *_: object) -> Notification:
        return self._notification(parse_object(raw_body, parse_number=str))

    return patch.object(TBank, "parse_notification", accept_any)


@_defect("crash_points")
def refund_is_retried_with_a_new_key(target: Target) -> AbstractContextManager[Any]:
    """The bank cannot recognize the second attempt and refunds twice."""
    refund = TBank.refund

    def with_new_key(self: TBank, order: Any, amount_minor: int, _key: str) -> Any:
        return refund(self, order, amount_minor, target.new_id().hex)

    return patch.object(TBank, "refund", with_new_key)


# -- the harness itself


@_defect("crash_points")
def commits_are_not_hooked(_: Target) -> AbstractContextManager[Any]:
    """Commits that the crash points harness does not see are not tested."""
    return patch("tests.faults.crash_points.hooks._WRITE", re.compile("matches no statement"))
