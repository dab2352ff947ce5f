"""Deliberate bugs, each a classic of distributed systems, to prove that the simulation finds such."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final
from unittest.mock import patch
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from common.bus import outbox, publishing
from common.bus.inbox import Inbox
from common.bus.topology import consume_task
from common.contracts.envelope import Envelope
from common.contracts.events import unpack
from common.core.errors import ServiceUnavailable
from common.db.connection import Connection
from common.db.engine import Database
from common.db.errors import retry_on_conflict
from services.balance import models as balance_models
from services.balance import repository as balance_repository
from services.balance.handlers import HANDLERS
from services.checks import repository as checks_repository
from services.checks.clients import BalanceClient
from services.checks.models import Check
from services.payments.banks import tbank
from services.payments.banks.base import Notification
from services.payments.banks.tbank import TBank
from tests.faults.simulation.actors import current
from tests.faults.simulation.world import World

_MARK: Final = text("""
    UPDATE inbox SET processed_at = now()
     WHERE event_id = ANY(CAST(:event_ids AS uuid[])) AND processed_at IS NULL AND parked_at IS NULL
    RETURNING event_id
""")

Mutation = Callable[[World], AbstractContextManager[Any]]


def _consumer(world: World, consume: Callable[[str, list[dict[str, Any]]], None]) -> AbstractContextManager[Any]:
    return patch.dict(world.services.consumers.tasks, {consume_task("balance"): consume})


@contextmanager
def handler_is_not_idempotent(world: World) -> Iterator[None]:
    """There is no inbox, and each run of a handler makes transfers with new ids."""

    def consume(source: str, wire: list[dict[str, Any]]) -> None:
        envelopes = [Envelope.from_wire(item) for item in wire]
        for envelope in envelopes:
            with world.services.balance.db.transaction() as tx:
                HANDLERS[envelope.type](tx, [unpack(envelope)])
        publishing._acknowledge(world.services.consumers, source, "balance", [e.event_id for e in envelopes])

    def new_id(kind: Any, subject: UUID) -> UUID:
        actor = current()
        if actor is None or kind != "topup":
            return original(kind, subject)
        return UUID(int=actor.random.getrandbits(128), version=4)

    original = balance_models.transfer_id
    with _consumer(world, consume), patch.object(balance_models, "transfer_id", new_id):
        yield


def outbox_row_is_not_written(_world: World) -> AbstractContextManager[Any]:
    """A confirmed payment and an expired check tell nobody."""
    return patch.object(outbox, "add_all", lambda *_, **__: None)


@contextmanager
def event_is_written_after_the_commit(_world: World) -> Iterator[None]:
    """Two transactions where one is needed: whoever dies between them has promised money that never comes."""
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


@contextmanager
def event_is_closed_when_it_is_sent(_world: World) -> Iterator[None]:
    """The broker is trusted with the only copy."""
    take = outbox.claim_due

    def take_and_close(tx: Connection, **bounds: Any) -> list[outbox.Due]:
        due = take(tx, **bounds)
        outbox.close(tx, "balance", [item.envelope.event_id for item in due])
        return due

    with patch.object(outbox, "claim_due", take_and_close):
        yield


@contextmanager
def hold_is_tried_again_with_a_new_id(_world: World) -> Iterator[None]:
    """The second try does not know that it is the second."""
    tried: set[UUID] = set()
    body = BalanceClient._body

    def another(check: Check, user_id: object) -> dict[str, object]:
        made = body(check, user_id)
        actor = current()
        if check.status == "pending" and check.check_id in tried and actor is not None:
            made["checkID"] = str(UUID(int=actor.random.getrandbits(128), version=4))
        tried.add(check.check_id)
        return made

    with patch.object(BalanceClient, "_body", staticmethod(another)):
        yield


def refusal_is_not_final(_world: World) -> AbstractContextManager[Any]:
    """A hold that was refused leaves no trace, so a late copy of it succeeds."""
    return patch.object(balance_repository, "record_refusal", lambda *_: True)


@contextmanager
def no_answer_is_taken_for_a_no(_world: World) -> Iterator[None]:
    """The hold may have been made all the same."""
    hold = BalanceClient.hold

    def guess(self: BalanceClient, check: Check) -> bool:
        try:
            return hold(self, check)
        except ServiceUnavailable:
            return False

    with patch.object(BalanceClient, "hold", guess):
        yield


@contextmanager
def no_answer_is_taken_for_a_yes(_world: World) -> Iterator[None]:
    """The command to pay may never have arrived, and the event that would repair it is closed."""
    settle = BalanceClient.settle

    def guess(self: BalanceClient, check: Check) -> None:
        try:
            settle(self, check)
        except ServiceUnavailable:
            return

    with patch.object(BalanceClient, "settle", guess):
        yield


@contextmanager
def check_is_not_locked(_world: World) -> Iterator[None]:
    """Accepting reads, thinks and writes without a lock, and does not look again when it writes."""
    changed = {
        "_LOCK_FOR_ATTEMPT": ("FOR UPDATE", ""),
        "_LOCK_OWN": ("FOR UPDATE", ""),
        "_SAVE_END": ("AND status = 'active'", ""),
    }
    patches: dict[str, Any] = {
        name: text(getattr(checks_repository, name).text.replace(*change)) for name, change in changed.items()
    }
    with patch.multiple(checks_repository, **patches):
        yield


@contextmanager
def sweep_does_not_lock(_world: World) -> Iterator[None]:
    """The sweep expires what somebody is just accepting."""
    patches: dict[str, Any] = {
        "_LOCK_DUE": text(checks_repository._LOCK_DUE.text.replace("FOR UPDATE SKIP LOCKED", "")),
        "_SAVE_EXPIRED": text(checks_repository._SAVE_EXPIRED.text.replace("AND status = 'active'", "")),
    }
    with patch.multiple(checks_repository, **patches):
        yield


def key_is_not_remembered(_world: World) -> AbstractContextManager[Any]:
    """A repeat is taken for a new request."""
    return patch("common.db.idempotency.store", lambda *_, **__: None)


def pending_checks_are_forgotten(_world: World) -> AbstractContextManager[Any]:
    """Nobody asks again about a check whose creation was cut short."""
    return patch("services.checks.service.finish_pending_checks", lambda *_: False)


def acknowledged_before_the_commit(world: World) -> AbstractContextManager[Any]:
    """The publisher closes its row, and then what the event should bring about fails."""

    def consume(source: str, wire: list[dict[str, Any]]) -> None:
        envelopes = [Envelope.from_wire(item) for item in wire]
        publishing._acknowledge(world.services.consumers, source, "balance", [e.event_id for e in envelopes])
        world.services.inbox.receive(source, envelopes)

    return _consumer(world, consume)


def inbox_row_is_marked_before_the_effect(_world: World) -> AbstractContextManager[Any]:
    """Two transactions where one is needed: whoever dies between them takes the event for done when it comes again."""

    @retry_on_conflict
    def apply(self: Inbox, envelopes: Sequence[Envelope]) -> None:
        with self._db.autocommit() as tx:
            marked = tx.execute(_MARK, {"event_ids": [envelope.event_id for envelope in envelopes]})
            fresh = {row.event_id for row in marked}
        for envelope in envelopes:
            if envelope.event_id in fresh:
                with self._db.transaction() as tx:
                    self._handlers[envelope.type](tx, [unpack(envelope)])

    return patch.object(Inbox, "_apply", apply)


def forged_notification_is_believed(_world: World) -> AbstractContextManager[Any]:
    """Whoever knows the address can say that he has paid."""

    def believe(self: TBank, _method: str, _headers: object, raw_body: bytes, *_: object) -> Notification:
        return self._notification(tbank._json_with_numbers_as_text(raw_body))

    return patch.object(TBank, "parse_notification", believe)


@contextmanager
def failed_commit_is_taken_for_done(_world: World) -> Iterator[None]:
    """An error at the very end is logged, and the client is told that all went well."""
    commit = Connection.commit

    def never_fail(self: Connection) -> None:
        with suppress(DBAPIError):
            commit(self)

    with patch.object(Connection, "commit", never_fail):
        yield


def attempt_is_judged_by_the_time_it_came(_world: World) -> AbstractContextManager[Any]:
    """Who waited for a check's lock may accept what others have been told has expired."""
    return patch("services.checks.service.replace", lambda attempt, **_: attempt)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    handler_is_not_idempotent,
    outbox_row_is_not_written,
    event_is_written_after_the_commit,
    event_is_closed_when_it_is_sent,
    hold_is_tried_again_with_a_new_id,
    refusal_is_not_final,
    no_answer_is_taken_for_a_no,
    no_answer_is_taken_for_a_yes,
    check_is_not_locked,
    sweep_does_not_lock,
    key_is_not_remembered,
    pending_checks_are_forgotten,
    acknowledged_before_the_commit,
    inbox_row_is_marked_before_the_effect,
    forged_notification_is_believed,
    failed_commit_is_taken_for_done,
    attempt_is_judged_by_the_time_it_came,
)
