"""The auditor under load: operations in flight are no findings, and damage is found between two snapshots."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import psycopg2
from sqlalchemy import Connection, text

from auditor import books, cross_bank, cross_checks, cross_payments
from auditor.findings import Report
from auditor.sources import Source, Sources, opened
from common.contracts.events import CheckAccepted, CheckExpired
from deploy.provisioning import AUDITOR_ROLE
from services.balance import chain
from services.balance.handlers import HANDLERS
from services.checks.lifecycle import tasks
from tests.integration.auditor.in_process_system import InProcessSystem
from tests.support.servers import Servers

AUDITS = 12


def _urls(servers: Servers, system: InProcessSystem) -> dict[str, str]:
    return {service: servers.postgres_url(name, AUDITOR_ROLE) for service, name in system.names.items()}


def _audit(servers: Servers, system: InProcessSystem) -> Report:
    with opened(_urls(servers, system)) as sources:
        return books.audit(sources)


def test_every_audit_under_load_is_clean(empty_system: InProcessSystem, test_servers: Servers) -> None:
    users = [uuid4() for _ in range(6)]
    for user in users:
        empty_system.top_up(user, 100_000)
    stop = Event()
    workload: list[Callable[[], None]] = [
        *(partial(_use_checks, empty_system, users, random.Random(seed)) for seed in range(3)),
        partial(_use_topups, empty_system, users),
        partial(_deliver_and_seal, empty_system),
    ]

    def repeat(work: Callable[[], None]) -> None:
        while not stop.is_set():
            work()

    with ThreadPoolExecutor(len(workload)) as pool:
        running = [pool.submit(repeat, work) for work in workload]
        reports = [_audit(test_servers, empty_system) for _ in range(AUDITS)]
        stop.set()
        for thread in running:
            thread.result()
    findings = [finding for report in reports for finding in report.findings]
    assert findings == []
    transfers = [report.counts["transfers"] for report in reports]
    assert transfers == sorted(set(transfers)), "the books did not grow during the audits"
    assert any(report.in_flight for report in reports), "no snapshot held money in flight"


def _use_checks(system: InProcessSystem, users: Sequence[UUID], rng: random.Random) -> None:
    checks = system.checks
    creator, acceptor = rng.choice(users), rng.choice(users)
    response = checks.try_create(creator, rng.randrange(100, 900))
    if response.status_code != 201:
        return
    check = response.get_json()
    ending = rng.random()
    if ending < 0.6:
        checks.accept(acceptor, check)
    elif ending < 0.9:
        checks.cancel(creator, check)


def _use_topups(system: InProcessSystem, users: Sequence[UUID]) -> None:
    """Confirm a top-up and refund it in two parts, whether or not it is credited yet."""
    topup = system.start_topup(users[0], 500)
    system.notify(topup)
    for part in (200, 300):
        system.refund(topup, part)


def _deliver_and_seal(system: InProcessSystem) -> None:
    system.deliver()
    chain.seal(system.balance)


class _InterruptedSource(Source):
    """A source that calls a function before it takes its next snapshot."""

    def __init__(self, url: str, before: Callable[[], object]) -> None:
        super().__init__(url)
        self._before = before

    def take_snapshot(self) -> None:
        self._before()
        super().take_snapshot()


@contextmanager
def _sources(servers: Servers, system: InProcessSystem, **before: Callable[[], object]) -> Any:
    """Open sources; ``balance=f`` calls f before the snapshot of the ledger is taken. Likewise for the others."""
    sources = {
        name.replace("sandbox_", ""): _InterruptedSource(url, before.get(name.replace("sandbox_", ""), lambda: None))
        for name, url in _urls(servers, system).items()
    }
    if "bank" not in before:
        sources.pop("bank").close()
    yield Sources(**sources)
    for source in sources.values():
        source.close()


def test_checks_created_and_ended_between_snapshots_are_no_findings(
    empty_system: InProcessSystem, test_servers: Servers
) -> None:
    system, checks = empty_system, empty_system.checks
    alice, bob = uuid4(), uuid4()
    system.top_up(alice, 10_000)
    waiting = checks.create(alice, 1_000)
    cancelled = checks.create(alice, 2_000)

    def meanwhile() -> None:
        system.top_up(bob, 700)
        checks.accept(bob, waiting)
        checks.cancel(alice, cancelled)
        checks.accept(bob, checks.create(alice, 300))
        checks.create(alice, 400)
        checks.try_create(bob, 900_000)

    with _sources(test_servers, system, balance=meanwhile) as sources:
        report = books.audit(sources)
    assert report.findings == []


def test_refunds_before_and_after_the_snapshot_of_the_bank_are_no_findings(
    empty_system: InProcessSystem, test_servers: Servers
) -> None:
    """The bank's snapshot holds the first refund and ours does not; the second is in ours and not in the bank's."""
    system = empty_system
    topup = system.top_up(uuid4(), 10_000)
    snapshots: list[int] = []

    def before_payments() -> None:
        snapshots.append(1)
        if len(snapshots) == 2:
            system.refund(topup, 200)

    with _sources(test_servers, system, bank=lambda: system.refund(topup, 100), payments=before_payments) as sources:
        report = books.audit(sources)
    assert len(snapshots) == 2, "the mismatch was not read a second time"
    assert report.findings == []
    assert _audit(test_servers, system).findings == []


def test_refund_missing_at_the_bank_is_found_despite_a_newer_refund(
    empty_system: InProcessSystem, test_servers: Servers
) -> None:
    system = empty_system
    topup = system.top_up(uuid4(), 10_000)
    system.refund(topup, 100)
    with system.bank.db.autocommit() as tx:
        tx.execute(text("UPDATE payments SET refunded_minor = 0, state = 'CONFIRMED'"))
    snapshots: list[int] = []

    def before_payments() -> None:
        snapshots.append(1)
        if len(snapshots) == 2:
            system.refund(topup, 200)

    with _sources(test_servers, system, bank=lambda: None, payments=before_payments) as sources:
        (finding,) = books.audit(sources).findings
    assert (finding.rule, finding.subject) == (cross_bank.RULE, f"top-up {topup}")


def test_damage_between_snapshots_is_found(empty_system: InProcessSystem, test_servers: Servers) -> None:
    system, checks = empty_system, empty_system.checks
    alice, bob = uuid4(), uuid4()
    topup = system.top_up(alice, 10_000)
    check = checks.create(alice, 1_000)
    check_id = checks.stored(check)["check_id"]

    def meanwhile() -> None:
        checks.accept(bob, check)
        change_acceptor = f"UPDATE checks SET acceptor_id = '{alice}' WHERE check_id = '{check_id}'"  # noqa: S608
        delete_topup = f"DELETE FROM topups WHERE topup_id = '{topup}'"  # noqa: S608
        for service, statement in (("checks", change_acceptor), ("payments", delete_topup)):
            connection = psycopg2.connect(test_servers.postgres_url(system.names[service]))
            with connection, connection.cursor() as cursor:
                cursor.execute("SET session_replication_role = replica")
                cursor.execute(statement)
            connection.close()

    with _sources(test_servers, system, payments=meanwhile) as sources:
        report = books.audit(sources)
    found = {(finding.rule, finding.subject) for finding in report.findings}
    assert (cross_checks.RULE, f"check {check_id}") in found
    assert (cross_payments.RULE, f"top-up {topup}") in found


def test_money_behind_a_parked_event_is_a_finding_that_names_the_event(
    empty_system: InProcessSystem, test_servers: Servers
) -> None:
    system, checks = empty_system, empty_system.checks
    alice = uuid4()
    system.top_up(alice, 10_000)
    check = checks.create(alice, 1_000, expiresIn=60)
    checks.clock.move(seconds=61)
    tasks.expire_due_checks(checks.context)

    def fail(_tx: Connection, _events: Sequence[CheckExpired]) -> None:
        raise ValueError("no")

    for _ in range(3):
        system.deliver(handlers={**HANDLERS, CheckExpired.TYPE: fail, CheckAccepted.TYPE: fail}, attempts=2)
    (finding,) = _audit(test_servers, system).findings
    assert finding.subject == f"check {checks.stored(check)['check_id']}"
    assert "is parked (ValueError('no')): replay or discard it" in finding.message
