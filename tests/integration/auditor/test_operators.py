"""``fastcheck events``: list, show, replay and discard undelivered events; every action is logged."""

import json
import subprocess
from collections.abc import Sequence
from uuid import UUID, uuid4

import psycopg2
import pytest
from sqlalchemy import Connection, text

from common.contracts.events import CheckExpired, PaymentConfirmed
from common.core.ids import derived_id
from common.db.rights import migration_role
from deploy.services import BY_NAME
from services.balance.handlers import HANDLERS
from services.checks.lifecycle import tasks
from tests.integration.auditor.in_process_system import InProcessSystem
from tests.support import databases
from tests.support.databases import as_owner
from tests.support.servers import Servers
from tests.support.system import fastcheck

WHY = ("--reason", "the handler is fixed", "--operator", "olga")


def _fail(_tx: Connection, _events: Sequence[CheckExpired]) -> None:
    raise ValueError("this handler is broken")


class OperatorConsole:
    """Where an operator of the system sits."""

    def __init__(self, system: InProcessSystem, servers: Servers) -> None:
        self.system = system
        self._servers = servers
        self._settings = {
            BY_NAME[service].database_variable: databases.url(servers, service, name)
            for service, name in system.names.items()
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return fastcheck("events", *arguments, environ=self._settings)

    def listed(self, *arguments: str) -> list[tuple[str, str]]:
        events = json.loads(self.run("list", "--json", *arguments).stdout)["events"]
        return [(event["state"], event["event_id"]) for event in events]

    def actions(self) -> list[tuple[str, str, str, str, str]]:
        found = json.loads(self.run("actions", "--json").stdout)
        names = ("service", "operator", "action", "subject", "reason")
        return [
            (a["service"], a["operator"], a["action"], a["subject"], a["reason"])
            for a in found
            if all(map(a.get, names))
        ]

    def park_expiry(self) -> tuple[UUID, UUID]:
        """Expire a check of 1,000 kopecks whose event balance parks; return the creator and the event id."""
        alice = uuid4()
        self.system.top_up(alice, 5_000)
        check = self.system.checks.create(alice, 1_000, expiresIn=60)
        self.system.checks.clock.move(seconds=61)
        tasks.expire_due_checks(self.system.checks.context)
        for _ in range(3):
            self.system.deliver(handlers={**HANDLERS, CheckExpired.TYPE: _fail}, attempts=2)
        return alice, derived_id(CheckExpired.TYPE, self.system.checks.stored(check)["check_id"])


@pytest.fixture
def console(empty_system: InProcessSystem, test_servers: Servers) -> OperatorConsole:
    return OperatorConsole(empty_system, test_servers)


def test_list_without_events_is_one_sentence(console: OperatorConsole) -> None:
    assert console.run("list").stdout == "All events are delivered, and every operation has a final status.\n"


def test_open_late_and_parked_events_are_listed_with_their_state(console: OperatorConsole) -> None:
    _, dead = console.park_expiry()
    topup = console.system.start_topup(uuid4(), 700)
    console.system.notify(topup)
    late = console.system.start_topup(uuid4(), 800)
    console.system.notify(late)
    with as_owner(console.system.payments.db) as tx:
        tx.execute(
            text("UPDATE outbox SET created_at = now() - interval '2 minutes' WHERE payload->>'topup_id' = :id"),
            {"id": str(late)},
        )
    open_id, late_id = (str(derived_id(PaymentConfirmed.TYPE, topup_id)) for topup_id in (topup, late))
    assert console.listed() == [("dead", str(dead)), ("late", late_id), ("open", open_id)]
    assert console.listed("--state", "late") == [("late", late_id)]
    assert console.listed("--limit", "1") == [("dead", str(dead))]
    shown = console.run("list").stdout
    assert "7.00 RUB" in shown
    assert "this handler" in shown


def test_show_reports_the_history_of_an_event(console: OperatorConsole) -> None:
    _, event = console.park_expiry()
    shown = json.loads(console.run("show", str(event), "--json").stdout)
    assert (shown["state"], shown["type"]) == ("dead", CheckExpired.TYPE)
    assert shown["payload"]["amount_minor"] == 1_000
    steps = [f"{step['where']}: {step['what']}" for step in shown["history"]]
    assert [step for step in steps if "ledger" in step] == ["ledger: check_created posted: 1000 RUB"]
    assert "checks: written for balance" in steps
    assert "balance: received from checks" in steps
    assert "balance: parked after 2 attempts: ValueError('this handler is broken')" in steps
    assert shown["history"] == sorted(shown["history"], key=lambda step: step["at"])


def test_replayed_event_is_delivered_by_the_regular_path_once(console: OperatorConsole) -> None:
    alice, event = console.park_expiry()
    assert console.system.checks.balance_of(alice) == 4_000
    result = console.run("replay", str(event), *WHY)
    assert result.returncode == 0, result.stderr
    assert console.listed() == [("open", str(event))]
    assert console.system.checks.balance_of(alice) == 4_000, "a replay only sends the event"
    console.system.deliver()
    assert console.system.checks.balance_of(alice) == 5_000
    assert console.listed() == []
    assert json.loads(console.run("show", str(event), "--json").stdout)["state"] == "done"


def test_replayed_event_that_fails_again_is_parked_again(console: OperatorConsole) -> None:
    _, event = console.park_expiry()
    console.run("replay", str(event), *WHY)
    for _ in range(3):
        console.system.deliver(handlers={**HANDLERS, CheckExpired.TYPE: _fail}, attempts=2)
    assert console.listed() == [("dead", str(event))]
    assert console.run("replay", str(event), *WHY).returncode == 0
    console.system.deliver()
    assert console.listed() == []


def test_event_with_a_purged_outbox_row_is_replayed_from_its_dead_letter(console: OperatorConsole) -> None:
    alice, event = console.park_expiry()
    with console.system.checks.context.db.autocommit() as tx:
        tx.execute(text("DELETE FROM outbox"))
    assert console.run("replay", str(event), *WHY).returncode == 0
    console.system.deliver()
    assert console.system.checks.balance_of(alice) == 5_000


def test_interrupted_replay_is_completed_by_the_next(console: OperatorConsole) -> None:
    alice, event = console.park_expiry()
    with console.system.balance.autocommit() as tx:
        tx.execute(text("UPDATE dead_letters SET resolved_at = now(), resolution = 'replayed', reason = 'x'"))
        tx.execute(text("UPDATE inbox SET parked_at = NULL, attempts = 1 WHERE processed_at IS NULL"))
    assert console.listed() == [("dead", str(event))], "no worker processes it, so it must stay listed"
    assert console.run("replay", str(event), *WHY).returncode == 0
    console.system.deliver()
    assert console.system.checks.balance_of(alice) == 5_000


def test_replay_of_an_open_event_makes_it_due_at_once(console: OperatorConsole) -> None:
    topup = console.system.start_topup(uuid4(), 700)
    console.system.notify(topup)
    event = derived_id(PaymentConfirmed.TYPE, topup)
    with console.system.payments.db.autocommit() as tx:
        tx.execute(text("UPDATE outbox SET available_at = now() + interval '1 day'"))
    assert "is due at payments at once" in console.run("replay", str(event), *WHY).stdout
    with console.system.payments.db.autocommit() as tx:
        assert tx.execute(text("SELECT available_at <= now() FROM outbox")).scalar_one()


def test_processed_event_is_not_replayed(console: OperatorConsole) -> None:
    topup = console.system.top_up(uuid4(), 700)
    result = console.run("replay", str(derived_id(PaymentConfirmed.TYPE, topup)), *WHY)
    assert result.returncode == 1
    assert "has taken effect at balance already" in result.stderr
    assert console.actions() == []


def test_discarded_event_has_no_effect_and_is_not_replayed(console: OperatorConsole) -> None:
    alice, event = console.park_expiry()
    assert console.run("discard", str(event), *WHY).returncode == 0
    assert console.listed() == []
    console.system.deliver()
    assert console.system.checks.balance_of(alice) == 4_000
    again = console.run("replay", str(event), *WHY)
    assert again.returncode == 1
    assert "was discarded (the handler is fixed): that is final" in again.stderr
    assert json.loads(console.run("show", str(event), "--json").stdout)["state"] == "discarded"


def test_open_event_cannot_be_discarded(console: OperatorConsole) -> None:
    topup = console.system.start_topup(uuid4(), 700)
    console.system.notify(topup)
    result = console.run("discard", str(derived_id(PaymentConfirmed.TYPE, topup)), *WHY)
    assert result.returncode == 1
    assert "is not parked" in result.stderr


@pytest.mark.parametrize("verb", ["show", "replay", "discard"])
def test_unknown_event_id_is_reported(console: OperatorConsole, verb: str) -> None:
    result = console.run(verb, str(uuid4()), *(() if verb == "show" else WHY))
    assert result.returncode == 1
    assert "No service knows" in result.stderr or "is not parked" in result.stderr


@pytest.mark.parametrize("verb", ["replay", "discard"])
@pytest.mark.parametrize("reason", [(), ("--reason", "  ")])
def test_action_without_a_reason_is_rejected(console: OperatorConsole, verb: str, reason: tuple[str, ...]) -> None:
    _, event = console.park_expiry()
    assert console.run(verb, str(event), *reason).returncode == 2
    assert console.listed() == [("dead", str(event))]


def test_every_action_is_in_an_append_only_log(console: OperatorConsole, test_servers: Servers) -> None:
    _, first = console.park_expiry()
    console.run("replay", str(first), *WHY)
    _, second = console.park_expiry()
    console.run("discard", str(second), "--reason", "paid by hand", "--operator", "bob")
    assert console.actions() == [
        ("balance", "bob", "discard_event", str(second), "paid by hand"),
        ("checks", "olga", "send_event_again", str(first), "the handler is fixed"),
        ("balance", "olga", "replay_event", str(first), "the handler is fixed"),
    ]
    history = json.loads(console.run("show", str(first), "--json").stdout)["history"]
    assert "olga: replay_event (the handler is fixed)" in [step["what"] for step in history]
    connection = psycopg2.connect(test_servers.postgres_url(console.system.names["balance"], migration_role("balance")))
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in (
            "UPDATE operator_actions SET reason = 'x'",
            "DELETE FROM operator_actions",
            "TRUNCATE operator_actions",
        ):
            with pytest.raises(psycopg2.errors.IntegrityConstraintViolation, match="stays written"):
                cursor.execute(statement)
    connection.close()


def test_undecided_operations_are_listed_with_their_reason(console: OperatorConsole) -> None:
    system, alice = console.system, uuid4()
    system.top_up(alice, 5_000)
    system.checks.balance.down()
    system.checks.try_create(alice, 1_000)
    late = system.start_topup(alice, 700)
    double = system.start_topup(alice, 900)
    refund = system.refund(system.top_up(alice, 3_000), 3_000)
    with as_owner(system.checks.context.db) as tx:
        tx.execute(text("ALTER TABLE checks DISABLE TRIGGER particulars_stay"))
        tx.execute(text("UPDATE checks SET created_at = now() - interval '5 minutes', tries = 4"))
    with as_owner(system.payments.db) as tx:
        tx.execute(
            text(
                "UPDATE topups SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour',"
                " polls = 9 WHERE topup_id = :id"
            ),
            {"id": late},
        )
        tx.execute(
            text(
                "INSERT INTO notifications (bank, source, bank_payment_id, bank_status, bank_order_id, amount_minor,"
                " currency, topup_id, verdict) VALUES ('tbank', 'webhook', 'P9', 'CONFIRMED', 'o9', 900, 'RUB', :id,"
                " 'second_payment')"
            ),
            {"id": double},
        )
        tx.execute(
            text(
                "UPDATE refunds SET status = 'debited', finished_at = NULL, next_try_at = now(), tries = 7,"
                " created_at = now() - interval '1 day' WHERE refund_id = :id"
            ),
            {"id": refund},
        )
    undecided = {item["kind"]: item["why"] for item in json.loads(console.run("list", "--json").stdout)["undecided"]}
    assert undecided["check"] == "pending: 4 attempts to hold the money"
    assert undecided["top-up"] == "pending: expired, but after 9 polls the bank reports no final status"
    assert undecided["refund"].startswith("debited after 7 attempts")
    assert "second_payment" in undecided["notification"]
    assert "Without a final status" in console.run("list").stdout


def test_command_without_a_running_system_ends_with_1(tmp_path: object) -> None:
    result = fastcheck("events", "list", "--data-dir", str(tmp_path))
    assert result.returncode == 1
    assert "No FastCheck runs in" in result.stderr
