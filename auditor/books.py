"""Run one audit."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg2

from auditor import accounts, chain, cross_bank, cross_checks, cross_payments, cross_refunds, guards, ledger, trail
from auditor.crossing import Comparison
from auditor.dead import DeadEvents
from auditor.findings import Finding, Head, InFlight, Report
from auditor.sources import Source, Sources, could_not_read


@dataclass(frozen=True, slots=True)
class Scope:
    """What an audit covers: all books, or the changes since ``since``.

    ``expected_head`` is a head of the chain that an operator stored; the chain must still contain it.
    """

    since: datetime | None = None
    expected_head: str | None = None


def audit(sources: Sources, scope: Scope = Scope()) -> Report:
    """Verify the rules and return all violations. Raise LaunchError if a database cannot be read."""
    started = time.monotonic()
    report = Report(since=scope.since, started_at=datetime.now(UTC))
    try:
        _examine(sources, scope, report)
    except psycopg2.Error as error:
        raise could_not_read("the books to their end", error) from error
    report.seconds = time.monotonic() - started
    return report


def _examine(sources: Sources, scope: Scope, report: Report) -> None:
    sources.take_snapshot()
    start = chain.start_after(sources.balance, scope.since)
    report.head = chain.head(sources.balance)
    guards.examine(sources, report)
    trail.examine(sources, report)
    # Two parts run in parallel, each with its own connection to the ledger, on the same snapshot.
    with closing(sources.balance.beside()) as beside, ThreadPoolExecutor(1, thread_name_prefix="audit") as thread:
        ledger_part = thread.submit(_examine_ledger, beside, scope, start, report.head)
        try:
            crossed = Report()
            _cross(sources, scope, crossed, start)
            report.take(ledger_part.result())
            report.take(crossed)
        except BaseException:
            beside.cancel()  # the audit fails, so the other part is not needed
            raise


def _examine_ledger(ledger_now: Source, scope: Scope, start: chain.Start, head: Head | None) -> Report:
    report = Report(head=head)
    chain.examine(ledger_now, report, start, scope.expected_head)
    ledger.examine(ledger_now, report, start)
    if not start.is_partial:
        accounts.examine(ledger_now, report)
    return report


def _cross(sources: Sources, scope: Scope, report: Report, start: chain.Start) -> None:
    dead = DeadEvents.of(sources.balance)
    # Without a sealed block before ``since`` the start in the ledger is unknown, so everything is compared.
    since = scope.since if start.is_partial else None
    checks = cross_checks.examine(sources, report, since=since, low=start.low, dead=dead)
    topups = cross_payments.examine(sources, report, since=since, low=start.low, dead=dead)
    refunds = cross_refunds.examine(sources, report)
    orders = cross_bank.examine(sources, sources.bank, report) if sources.bank else Comparison()
    # New snapshots of checks and payments; the ledger's snapshot stays.
    if checks.doubtful:
        sources.checks.take_snapshot()
        cross_checks.settle(sources, checks, dead)
    if topups.doubtful or refunds.doubtful or orders.doubtful:
        sources.payments.take_snapshot()
        cross_payments.settle(sources, topups, dead)
        cross_refunds.settle(sources, refunds)
        cross_bank.settle(sources, orders)
    _take(report, cross_checks.RULE, checks)
    _take(report, cross_payments.RULE, topups)
    _take(report, cross_refunds.RULE, refunds)
    if sources.bank:
        _take(report, cross_bank.RULE, orders)
    report.counts |= {"checks": checks.compared, "top-ups": topups.compared, "refunds": refunds.compared}


def _take(report: Report, rule: str, comparison: Comparison) -> None:
    report.apply(rule, (verdict for verdict in comparison.verdicts if isinstance(verdict, Finding)))
    report.in_flight += [verdict for verdict in comparison.verdicts if isinstance(verdict, InFlight)]
