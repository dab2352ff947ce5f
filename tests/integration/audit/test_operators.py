"""``fastcheck events``: what has not arrived is seen, explained, replayed or discarded; every deed is written down."""

import json
import subprocess
from collections.abc import Sequence
from uuid import UUID, uuid4

import psycopg2
import pytest
from sqlalchemy import text

from common.contracts.events import CheckExpired, PaymentConfirmed
from common.core.ids import derived_id
from common.db.connection import Connection
from deploy.services import BY_NAME
from services.balance.handlers import HANDLERS
from services.checks import tasks
from tests.integration.audit.town import Town
from tests.support import databases
from tests.support.servers import Servers
from tests.support.system import fastcheck

WHY = ("--reason", "the handler is mended", "--operator", "olga")


def _fail(_tx: Connection, _events: Sequence[CheckExpired]) -> None:
    raise ValueError("this handler is broken")


class Desk:
    """Where an operator of the town sits."""

    def __init__(self, town: Town, servers: Servers) -> None:
        self.town = town
        self._servers = servers
        self._settings = {
            BY_NAME[service].database_variable: databases.url(servers, service, name)
            for service, name in town.names.items()
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

    def park_an_expiry(self) -> tuple[UUID, UUID]:
        """A check of 1 000 kopecks expires and balance cannot handle it; returns its creator and its event."""
        anna = uuid4()
        self.town.top_up(anna, 5_000)
        check = self.town.world.create(anna, 1_000, expiresIn=60)
        self.town.world.clock.move(seconds=61)
        tasks.expire_due_checks(self.town.world.context)
        for _ in range(3):
            self.town.deliver(handlers={**HANDLERS, CheckExpired.TYPE: _fail}, attempts=2)
        return anna, derived_id(CheckExpired.TYPE, self.town.world.stored(check)["check_id"])


@pytest.fixture
def desk(fresh_town: Town, test_servers: Servers) -> Desk:
    return Desk(fresh_town, test_servers)


def test_nothing_to_see_is_said_in_a_sentence(desk: Desk) -> None:
    assert desk.run("list").stdout == "Every event has arrived, and nothing is undecided.\n"


def test_open_late_and_dead_events_are_listed_with_their_state(desk: Desk) -> None:
    _, dead = desk.park_an_expiry()
    topup = desk.town.start_topup(uuid4(), 700)
    desk.town.hear(topup)
    late = desk.town.start_topup(uuid4(), 800)
    desk.town.hear(late)
    with desk.town.payments.db.autocommit() as tx:
        tx.execute(
            text("UPDATE outbox SET created_at = now() - interval '2 minutes' WHERE payload->>'topup_id' = :id"),
            {"id": str(late)},
        )
    open_id, late_id = (str(derived_id(PaymentConfirmed.TYPE, topup_id)) for topup_id in (topup, late))
    assert desk.listed() == [("dead", str(dead)), ("late", late_id), ("open", open_id)]
    assert desk.listed("--state", "late") == [("late", late_id)]
    assert desk.listed("--limit", "1") == [("dead", str(dead))]
    shown = desk.run("list").stdout
    assert "7.00 RUB" in shown
    assert "this handler" in shown


def test_an_event_is_shown_with_its_history(desk: Desk) -> None:
    _, event = desk.park_an_expiry()
    story = json.loads(desk.run("show", str(event), "--json").stdout)
    assert (story["state"], story["type"]) == ("dead", CheckExpired.TYPE)
    assert story["payload"]["amount_minor"] == 1_000
    steps = [f"{step['where']}: {step['what']}" for step in story["history"]]
    assert [step for step in steps if "ledger" in step] == ["ledger: check_created posted: 1000 RUB"]
    assert "checks: written for balance" in steps
    assert "balance: received from checks" in steps
    assert "balance: parked after 2 attempts: ValueError('this handler is broken')" in steps
    assert story["history"] == sorted(story["history"], key=lambda step: step["at"])


def test_a_replayed_event_takes_effect_by_the_ordinary_road_once(desk: Desk) -> None:
    anna, event = desk.park_an_expiry()
    assert desk.town.world.money_of(anna) == 4_000
    answer = desk.run("replay", str(event), *WHY)
    assert answer.returncode == 0, answer.stderr
    assert desk.listed() == [("open", str(event))]
    assert desk.town.world.money_of(anna) == 4_000, "a replay does nothing itself: it sends"
    desk.town.deliver()
    assert desk.town.world.money_of(anna) == 5_000
    assert desk.listed() == []
    assert json.loads(desk.run("show", str(event), "--json").stdout)["state"] == "done"


def test_a_replay_that_fails_again_is_parked_again(desk: Desk) -> None:
    _, event = desk.park_an_expiry()
    desk.run("replay", str(event), *WHY)
    for _ in range(3):
        desk.town.deliver(handlers={**HANDLERS, CheckExpired.TYPE: _fail}, attempts=2)
    assert desk.listed() == [("dead", str(event))]
    assert desk.run("replay", str(event), *WHY).returncode == 0
    desk.town.deliver()
    assert desk.listed() == []


def test_an_event_whose_row_was_purged_is_replayed_from_its_dead_letter(desk: Desk) -> None:
    anna, event = desk.park_an_expiry()
    with desk.town.world.context.db.autocommit() as tx:
        tx.execute(text("DELETE FROM outbox"))
    assert desk.run("replay", str(event), *WHY).returncode == 0
    desk.town.deliver()
    assert desk.town.world.money_of(anna) == 5_000


def test_a_replay_that_died_half_way_is_finished_by_the_next(desk: Desk) -> None:
    anna, event = desk.park_an_expiry()
    with desk.town.balance.autocommit() as tx:
        tx.execute(text("UPDATE dead_letters SET resolved_at = now(), resolution = 'replayed', reason = 'x'"))
        tx.execute(text("UPDATE inbox SET parked_at = NULL, attempts = 1 WHERE processed_at IS NULL"))
    assert desk.listed() == [("dead", str(event))], "nobody works on it: the operator must see it"
    assert desk.run("replay", str(event), *WHY).returncode == 0
    desk.town.deliver()
    assert desk.town.world.money_of(anna) == 5_000


def test_an_open_event_can_be_sent_at_once(desk: Desk) -> None:
    topup = desk.town.start_topup(uuid4(), 700)
    desk.town.hear(topup)
    event = derived_id(PaymentConfirmed.TYPE, topup)
    with desk.town.payments.db.autocommit() as tx:
        tx.execute(text("UPDATE outbox SET available_at = now() + interval '1 day'"))
    assert "is due at payments at once" in desk.run("replay", str(event), *WHY).stdout
    with desk.town.payments.db.autocommit() as tx:
        assert tx.execute(text("SELECT available_at <= now() FROM outbox")).scalar_one()


def test_what_has_taken_effect_is_not_replayed(desk: Desk) -> None:
    topup = desk.town.top_up(uuid4(), 700)
    answer = desk.run("replay", str(derived_id(PaymentConfirmed.TYPE, topup)), *WHY)
    assert answer.returncode == 1
    assert "has taken effect at balance already" in answer.stderr
    assert desk.actions() == []


def test_a_discarded_event_never_takes_effect_and_is_not_replayed(desk: Desk) -> None:
    anna, event = desk.park_an_expiry()
    assert desk.run("discard", str(event), *WHY).returncode == 0
    assert desk.listed() == []
    desk.town.deliver()
    assert desk.town.world.money_of(anna) == 4_000
    again = desk.run("replay", str(event), *WHY)
    assert again.returncode == 1
    assert "was discarded (the handler is mended): that is final" in again.stderr
    assert json.loads(desk.run("show", str(event), "--json").stdout)["state"] == "discarded"


def test_only_a_parked_event_can_be_discarded(desk: Desk) -> None:
    topup = desk.town.start_topup(uuid4(), 700)
    desk.town.hear(topup)
    answer = desk.run("discard", str(derived_id(PaymentConfirmed.TYPE, topup)), *WHY)
    assert answer.returncode == 1
    assert "is not parked" in answer.stderr


@pytest.mark.parametrize("verb", ["show", "replay", "discard"])
def test_an_event_that_nobody_knows_is_said_to_be_unknown(desk: Desk, verb: str) -> None:
    answer = desk.run(verb, str(uuid4()), *(() if verb == "show" else WHY))
    assert answer.returncode == 1
    assert "No service knows" in answer.stderr or "is not parked" in answer.stderr


@pytest.mark.parametrize("verb", ["replay", "discard"])
@pytest.mark.parametrize("reason", [(), ("--reason", "  ")])
def test_nothing_is_done_without_a_reason(desk: Desk, verb: str, reason: tuple[str, ...]) -> None:
    _, event = desk.park_an_expiry()
    assert desk.run(verb, str(event), *reason).returncode == 2
    assert desk.listed() == [("dead", str(event))]


def test_every_deed_is_in_a_trail_that_cannot_be_changed(desk: Desk, test_servers: Servers) -> None:
    _, first = desk.park_an_expiry()
    desk.run("replay", str(first), *WHY)
    _, second = desk.park_an_expiry()
    desk.run("discard", str(second), "--reason", "paid by hand", "--operator", "boris")
    assert desk.actions() == [
        ("balance", "boris", "discard_event", str(second), "paid by hand"),
        ("checks", "olga", "send_event_again", str(first), "the handler is mended"),
        ("balance", "olga", "replay_event", str(first), "the handler is mended"),
    ]
    history = json.loads(desk.run("show", str(first), "--json").stdout)["history"]
    assert "olga: replay_event (the handler is mended)" in [step["what"] for step in history]
    connection = psycopg2.connect(test_servers.postgres_url(desk.town.names["balance"], "fastcheck_balance"))
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


def test_what_cannot_be_decided_is_shown_as_such(desk: Desk) -> None:
    town, anna = desk.town, uuid4()
    town.top_up(anna, 5_000)
    town.world.balance.down()
    town.world.try_create(anna, 1_000)
    late = town.start_topup(anna, 700)
    double = town.start_topup(anna, 900)
    refund = town.refund(town.top_up(anna, 3_000), 3_000)
    with town.world.context.db.autocommit() as tx:
        tx.execute(text("ALTER TABLE checks DISABLE TRIGGER particulars_stay"))
        tx.execute(text("UPDATE checks SET created_at = now() - interval '5 minutes', tries = 4"))
    with town.payments.db.autocommit() as tx:
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
    undecided = {item["kind"]: item["why"] for item in json.loads(desk.run("list", "--json").stdout)["undecided"]}
    assert undecided["check"] == "pending: balance was asked 4 times whether the money is held"
    assert undecided["top-up"] == "pending: its time is over, the bank was asked 9 times and does not say how it ended"
    assert undecided["refund"].startswith("debited after 7 tries")
    assert "second_payment" in undecided["notification"]
    assert "Undecided" in desk.run("list").stdout


def test_without_a_system_it_says_so(tmp_path: object) -> None:
    answer = fastcheck("events", "list", "--data-dir", str(tmp_path))
    assert answer.returncode == 1
    assert "No FastCheck runs in" in answer.stderr
