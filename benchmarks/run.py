"""One run: floors and FastCheck are measured alternately on one system."""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from benchmarks import counting, meters, user_pool
from benchmarks.floors import bare_flask, celery_noop, sql_transfer
from benchmarks.load import Outcome
from benchmarks.results import Figures, Report, median_of, quantiles_ms
from benchmarks.scenarios import bus, requests
from benchmarks.system import System
from benchmarks.targets import (
    CELERY,
    READ,
    READ_SQLALCHEMY,
    SQL,
    TRANSFER,
    TRANSFER_SQLALCHEMY,
    bus_targets,
    http_targets,
)
from benchmarks.user_pool import User

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """The extent of a run."""

    users: int = 64
    rounds: int = 3
    seconds: float = 2.0
    warm_up_seconds: float = 2.0
    concurrencies: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    floor_concurrencies: tuple[int, ...] = (1, 8, 32)
    notifications: int = 500
    events: int = 20_000
    expiring: int = 5_000
    noop_tasks: int = 3_000


QUICK = Plan(
    users=8,
    rounds=1,
    seconds=0.5,
    warm_up_seconds=0.2,
    concurrencies=(1, 8, 32),
    notifications=20,
    events=400,
    expiring=100,
    noop_tasks=200,
)


def measure(system: System, plan: Plan, say: Say) -> Report:
    """Measure everything in the order of the report."""
    proxied = ", HAProxy before the gateway" if "gateway-proxy" in system.processes else ""
    report = Report(machine=f"{os.cpu_count()} cores, {platform.system()} {platform.release()}{proxied}")
    say("Users register and top up.")
    users = user_pool.register(system, plan.users)
    user_pool.enrich(system, users)
    _warm_up(system, users, plan)
    _floors(system, plan, report, say)
    for connections in plan.concurrencies:
        say(f"Requests of {connections} clients at once.")
        report.figures += _requests(system, users, plan, connections)
    say("One hot user.")
    report.figures.append(_hot_user(system, users, plan))
    _count_costs(system, users, report, say)
    report.targets = http_targets(report)
    say("The bus: notifications, a backlog of events, checks that expire.")
    p50, _, p99 = quantiles_ms(bus.notifications(system, plan.notifications))
    drained = statistics.median(bus.drain(system, users, plan.events) for _ in range(plan.rounds))
    expired = bus.expire(system, users, plan.expiring).per_second
    report.targets += bus_targets(p50, p99, drained, expired)
    report.memory_mib = meters.memory_mib(system.processes)
    return report


def _warm_up(system: System, users: Sequence[User], plan: Plan) -> None:
    requests.read_balances(system.gateway_url, users, 32, plan.warm_up_seconds)
    _, codes = requests.create_checks(system.gateway_url, users, 32, plan.warm_up_seconds)
    requests.accept_checks(system.gateway_url, users, codes, 32)


def _floors(system: System, plan: Plan, report: Report, say: Say) -> None:
    say("Floors: Flask with one statement, a transfer in SQL, an empty Celery task.")
    floors = {
        READ: ("psycopg2", "read"),
        READ_SQLALCHEMY: ("sqlalchemy", "read"),
        TRANSFER: ("psycopg2", "transfer"),
        TRANSFER_SQLALCHEMY: ("sqlalchemy", "transfer"),
    }
    with bare_flask.serving(system) as url:
        for name, route in floors.items():
            bare_flask.measure(url, *route, 32, plan.warm_up_seconds)
            for connections in plan.floor_concurrencies:
                rounds = [bare_flask.measure(url, *route, connections, plan.seconds) for _ in range(plan.rounds)]
                rate = statistics.median(outcome.done / outcome.seconds for outcome in rounds)
                report.floors[f"{name}, c={connections}"] = rate
    report.floors[f"{SQL}, c=8"] = sql_transfer.measure(system, 8, plan.seconds)
    report.floors[CELERY] = celery_noop.measure(system, plan.noop_tasks)


def _requests(system: System, users: Sequence[User], plan: Plan, connections: int) -> list[Figures]:
    reads, creates, accepts = [], [], []
    url = system.gateway_url
    for _ in range(plan.rounds):
        reads.append(_metered(system, partial(requests.read_balances, url, users, connections, plan.seconds)))
        codes: requests.Codes = []
        creates.append(_metered(system, partial(_create, url, users, connections, plan.seconds, codes)))
        accepts.append(_metered(system, partial(requests.accept_checks, url, users, codes, connections)))
    names = ("GET /balance", "POST /fastcheck", "POST /fastcheck/accept")
    return [median_of(n, connections, rounds) for n, rounds in zip(names, (reads, creates, accepts), strict=True)]


def _create(url: str, users: Sequence[User], connections: int, seconds: float, codes: requests.Codes) -> Outcome:
    outcome, made = requests.create_checks(url, users, connections, seconds)
    codes += made
    return outcome


def _hot_user(system: System, users: Sequence[User], plan: Plan) -> Figures:
    rounds = []
    url = system.gateway_url
    for _ in range(plan.rounds):
        _, codes = requests.create_checks(url, users, 32, plan.seconds)
        rounds.append(_metered(system, partial(requests.accept_checks, url, users[:1], codes, 32)))
    return median_of("accept, one hot user", 32, rounds)


def _metered(system: System, act: Callable[[], Outcome]) -> tuple[Outcome, dict[str, float]]:
    before = meters.cpu_seconds(system.processes)
    outcome = act()
    return outcome, meters.used_between(before, meters.cpu_seconds(system.processes))


def _count_costs(system: System, users: Sequence[User], report: Report, say: Say) -> None:
    """Count round trips and commits, which do not depend on the load, with statement logging enabled."""
    say("Round trips and commits are counted.")
    url, seconds = system.gateway_url, 0.3
    codes: requests.Codes = []
    costs = {
        "GET /balance": counting.cost_of(system, lambda: requests.read_balances(url, users, 1, seconds).done),
        "POST /fastcheck": counting.cost_of(system, lambda: _create(url, users, 1, seconds, codes).done),
        "POST /fastcheck/accept": counting.cost_of(system, lambda: requests.accept_checks(url, users, codes, 1).done),
    }
    report.figures = [
        replace(item, round_trips=costs[item.name].round_trips, commits=costs[item.name].commits)
        if item.name in costs
        else item
        for item in report.figures
    ]
