"""What is made otherwise in a process that is started so: classic mistakes, to prove that they are found, and bad luck.

Each changes one process by patching it behind the fork, for the rest of its life.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch
from uuid import uuid4

from common.bus import outbox
from common.bus.inbox import Inbox
from common.bus.topology import acknowledge_task, acknowledgements_queue
from common.contracts.envelope import Envelope
from common.contracts.events import PaymentConfirmed
from common.core.errors import ServiceUnavailable
from common.db import idempotency
from common.db.engine import Database
from services.balance.handlers import HANDLERS
from services.checks.clients import BalanceClient
from services.payments.banks.tbank import TBank
from services.payments.models import order_id_of
from services.payments.topups import opening, repository
from services.sandbox_bank import service as bank
from services.sandbox_bank.errors import WrongState
from tests.faults.crash_points import hooks


def make(names: Sequence[str], bus: Any) -> None:
    """Change this process. ``bus``: the Celery applications by service."""
    for name in names:
        MISTAKES[name](bus)


def _patch(owner: object, name: str, new: object) -> None:
    patch.object(owner, name, new).start()


# -- bad luck


def _bank_refuses_refunds(_bus: Any) -> None:
    def refuse(*_: object) -> None:
        raise WrongState

    _patch(bank, "_give_back", refuse)


def _handler_of_payments_fails(_bus: Any) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("this handler has a mistake")

    patch.dict(HANDLERS, {PaymentConfirmed.TYPE: fail}).start()


# -- mistakes


def _event_after_the_commit(_bus: Any) -> None:
    """Two transactions where one is needed: who dies between them has promised money that never comes."""
    late: list[Any] = []
    write, transaction = outbox.add_all, Database.transaction

    @contextmanager
    def then_write(db: Database) -> Iterator[Any]:
        late.clear()
        with transaction(db) as tx:
            yield tx
        for events in late[:]:
            with db.autocommit() as tx:
                write(tx, events)

    _patch(outbox, "add_all", lambda _tx, events, **_: late.append(events))
    _patch(Database, "transaction", then_write)


def _event_closed_when_taken(_bus: Any) -> None:
    """There might as well be no outbox: the broker is trusted with the only copy."""
    take = outbox.claim_due

    def take_and_close(tx: Any, **bounds: Any) -> list[outbox.Due]:
        due = take(tx, **bounds)
        outbox.close(tx, "balance", [item.envelope.event_id for item in due])
        return due

    _patch(outbox, "claim_due", take_and_close)


def _acknowledged_before_the_commit(bus: Any) -> None:
    """The publisher is told that the event is done with, and then it is done."""
    receive = Inbox.receive

    def tell_first(inbox: Inbox, source: str, envelopes: Sequence[Envelope]) -> Any:
        told = [str(envelope.event_id) for envelope in envelopes]
        queue = acknowledgements_queue(source)
        bus["balance"].app.send_task(acknowledge_task(source), args=["balance", told], queue=queue)
        return receive(inbox, source, envelopes)

    _patch(Inbox, "receive", tell_first)


def _effect_before_the_key(_bus: Any) -> None:
    """The top-up is committed, and then the key is: who repeats his request in between has two."""

    def one_after_the_other(context: Any, topup: Any, busy_until: Any, key: Any) -> Any:
        with context.db.transaction() as tx:
            stored = idempotency.claim(tx, key)
        if stored is None:
            with context.db.autocommit() as tx:
                repository.insert(tx, topup, order_id_of(topup.topup_id, 1), busy_until=busy_until)
            with context.db.transaction() as tx:
                idempotency.store(tx, key, 201, b"", topup.topup_id)
        return stored

    _patch(opening, "_claim_or_insert", one_after_the_other)


def _no_answer_is_a_no(_bus: Any) -> None:
    """The hold may have been made all the same."""
    hold = BalanceClient.hold

    def guess(client: BalanceClient, check: Any) -> bool:
        try:
            return hold(client, check)
        except ServiceUnavailable:
            return False

    _patch(BalanceClient, "hold", guess)


def _no_answer_is_a_yes(_bus: Any) -> None:
    """The money may not have moved, and the event that would move it is closed."""
    settle = BalanceClient.settle

    def guess(client: BalanceClient, check: Any) -> None:
        try:
            settle(client, check)
        except ServiceUnavailable:
            return

    _patch(BalanceClient, "settle", guess)


def _another_key_for_each_try(_bus: Any) -> None:
    """The bank cannot know that it is asked for the same refund again."""
    refund = TBank.refund

    def anew(tbank: TBank, order: Any, amount_minor: int, _key: str) -> Any:
        return refund(tbank, order, amount_minor, uuid4().hex)

    _patch(TBank, "refund", anew)


def _pending_is_forgotten(_bus: Any) -> None:
    """Nobody asks again about a check whose creation was cut short."""
    patch("services.checks.service.finish_pending_checks", lambda *_: False).start()


def _driver_commits_unseen(_bus: Any) -> None:
    """Not of the services but of this test: a way to commit that has no hook."""
    _patch(hooks, "_WRITE", re.compile("this is in no statement"))


MISTAKES: Final[dict[str, Callable[[Any], None]]] = {
    "bank refuses refunds": _bank_refuses_refunds,
    "handler of payments fails": _handler_of_payments_fails,
    "event after the commit": _event_after_the_commit,
    "event closed when taken": _event_closed_when_taken,
    "acknowledged before the commit": _acknowledged_before_the_commit,
    "effect before the key": _effect_before_the_key,
    "no answer is a no": _no_answer_is_a_no,
    "no answer is a yes": _no_answer_is_a_yes,
    "another key for each try": _another_key_for_each_try,
    "pending is forgotten": _pending_is_forgotten,
    "commits unseen": _driver_commits_unseen,
}
