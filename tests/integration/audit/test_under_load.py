"""The auditor while everything moves: nothing is called wrong that is only under way, and nothing wrong goes unseen."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import psycopg2
from sqlalchemy import text

from auditor import books, cross_bank, cross_checks, cross_payments
from auditor.findings import Report
from auditor.sources import Source, Sources, opened
from common.contracts.events import CheckAccepted, CheckExpired
from common.db.connection import Connection
from deploy.provisioning import AUDITOR_ROLE
from services.balance import chain
from services.balance.handlers import HANDLERS
from services.checks import tasks
from tests.integration.audit.town import Town
from tests.support.servers import Servers

AUDITS = 12


def _urls(servers: Servers, town: Town) -> dict[str, str]:
    return {service: servers.postgres_url(name, AUDITOR_ROLE) for service, name in town.names.items()}


def _audit(servers: Servers, town: Town) -> Report:
    with opened(_urls(servers, town)) as sources:
        return books.audit(sources)


def test_the_books_are_right_at_every_moment_while_everything_moves(fresh_town: Town, test_servers: Servers) -> None:
    town = fresh_town
    people = [uuid4() for _ in range(6)]
    for person in people:
        town.top_up(person, 100_000)
    stop = Event()
    workers: list[Callable[[], None]] = [
        *(partial(_write_checks, town, people, random.Random(seed)) for seed in range(3)),
        partial(_top_up, town, people),
        partial(_carry, town),
    ]

    def keep_on(work: Callable[[], None]) -> None:
        while not stop.is_set():
            work()

    with ThreadPoolExecutor(len(workers)) as pool:
        running = [pool.submit(keep_on, work) for work in workers]
        reports = [_audit(test_servers, town) for _ in range(AUDITS)]
        stop.set()
        for thread in running:
            thread.result()
    findings = [finding for report in reports for finding in report.findings]
    assert findings == []
    transfers = [report.counts["transfers"] for report in reports]
    assert transfers == sorted(set(transfers)), "the books did not grow while they were audited"
    assert any(report.in_flight for report in reports), "nothing was on its way in any of the pictures"


def _write_checks(town: Town, people: Sequence[UUID], chance: random.Random) -> None:
    world = town.world
    creator, acceptor = chance.choice(people), chance.choice(people)
    response = world.try_create(creator, chance.randrange(100, 900))
    if response.status_code != 201:
        return
    check = response.get_json()
    fate = chance.random()
    if fate < 0.6:
        world.accept(acceptor, check)
    elif fate < 0.9:
        world.cancel(creator, check)


def _top_up(town: Town, people: Sequence[UUID]) -> None:
    """And give a part of it back, and then the rest: as soon as it is confirmed, credited or not."""
    topup = town.start_topup(people[0], 500)
    town.hear(topup)
    for part in (200, 300):
        town.refund(topup, part)


def _carry(town: Town) -> None:
    town.deliver()
    chain.seal(town.balance)


class _Paused(Source):
    """A picture that is taken, and before the next one is taken something happens."""

    def __init__(self, url: str, before: Callable[[], object]) -> None:
        super().__init__(url)
        self._before = before

    def look_now(self) -> None:
        self._before()
        super().look_now()


@contextmanager
def _sources(servers: Servers, town: Town, **happens: Callable[[], object]) -> Any:
    """``balance=f``: f happens after checks and payments were looked at and before the ledger is. Likewise ``bank``."""
    made = {
        name.replace("sandbox_", ""): _Paused(url, happens.get(name.replace("sandbox_", ""), lambda: None))
        for name, url in _urls(servers, town).items()
    }
    if "bank" not in happens:
        made.pop("bank").close()
    yield Sources(**made)
    for source in made.values():
        source.close()


def test_a_check_that_is_made_and_ended_between_the_pictures_is_no_finding(
    fresh_town: Town, test_servers: Servers
) -> None:
    town, world = fresh_town, fresh_town.world
    anna, boris = uuid4(), uuid4()
    town.top_up(anna, 10_000)
    waiting = world.create(anna, 1_000)
    cancelled = world.create(anna, 2_000)

    def meanwhile() -> None:
        town.top_up(boris, 700)
        world.accept(boris, waiting)
        world.cancel(anna, cancelled)
        world.accept(boris, world.create(anna, 300))
        world.create(anna, 400)
        world.try_create(boris, 900_000)

    with _sources(test_servers, town, balance=meanwhile) as sources:
        report = books.audit(sources)
    assert report.findings == []


def test_refunds_before_and_after_the_picture_of_the_bank_are_no_findings(
    fresh_town: Town, test_servers: Servers
) -> None:
    """The first one is in the bank's picture and not in ours before it; the second in ours after it and not there."""
    town = fresh_town
    topup = town.top_up(uuid4(), 10_000)
    looks: list[int] = []

    def look_at_payments() -> None:
        looks.append(1)
        if len(looks) == 2:
            town.refund(topup, 200)

    with _sources(test_servers, town, bank=lambda: town.refund(topup, 100), payments=look_at_payments) as sources:
        report = books.audit(sources)
    assert len(looks) == 2, "what did not fit was not looked at again"
    assert report.findings == []
    assert _audit(test_servers, town).findings == []


def test_a_refund_that_the_bank_does_not_have_is_found_also_when_another_one_is_younger(
    fresh_town: Town, test_servers: Servers
) -> None:
    town = fresh_town
    topup = town.top_up(uuid4(), 10_000)
    town.refund(topup, 100)
    with town.bank.db.autocommit() as tx:
        tx.execute(text("UPDATE payments SET refunded_minor = 0, state = 'CONFIRMED'"))
    looks: list[int] = []

    def look_at_payments() -> None:
        looks.append(1)
        if len(looks) == 2:
            town.refund(topup, 200)

    with _sources(test_servers, town, bank=lambda: None, payments=look_at_payments) as sources:
        (finding,) = books.audit(sources).findings
    assert (finding.rule, finding.subject) == (cross_bank.RULE, f"top-up {topup}")


def test_what_is_really_wrong_is_found_also_when_it_moves_between_the_pictures(
    fresh_town: Town, test_servers: Servers
) -> None:
    town, world = fresh_town, fresh_town.world
    anna, boris = uuid4(), uuid4()
    topup = town.top_up(anna, 10_000)
    check = world.create(anna, 1_000)
    check_id = world.stored(check)["check_id"]

    def meanwhile() -> None:
        world.accept(boris, check)
        connection = psycopg2.connect(test_servers.postgres_url(town.names["checks"]))
        with connection, connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("UPDATE checks SET acceptor_id = %s WHERE check_id = %s", (str(anna), str(check_id)))
        connection.close()
        connection = psycopg2.connect(test_servers.postgres_url(town.names["payments"]))
        with connection, connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("DELETE FROM topups WHERE topup_id = %s", (str(topup),))
        connection.close()

    with _sources(test_servers, town, payments=meanwhile) as sources:
        report = books.audit(sources)
    found = {(finding.rule, finding.subject) for finding in report.findings}
    assert (cross_checks.RULE, f"check {check_id}") in found
    assert (cross_payments.RULE, f"top-up {topup}") in found


def test_money_behind_a_parked_event_is_wrong_and_the_event_is_named(fresh_town: Town, test_servers: Servers) -> None:
    town, world = fresh_town, fresh_town.world
    anna = uuid4()
    town.top_up(anna, 10_000)
    check = world.create(anna, 1_000, expiresIn=60)
    world.clock.move(seconds=61)
    tasks.expire_due_checks(world.context)

    def fail(_tx: Connection, _events: Sequence[CheckExpired]) -> None:
        raise ValueError("no")

    for _ in range(3):
        town.deliver(handlers={**HANDLERS, CheckExpired.TYPE: fail, CheckAccepted.TYPE: fail}, attempts=2)
    (finding,) = _audit(test_servers, town).findings
    assert finding.subject == f"check {world.stored(check)['check_id']}"
    assert "is parked (ValueError('no')): replay or discard it" in finding.message
