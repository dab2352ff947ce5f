"""Every flow, with a death on either side of each of its points; and proof that the deaths would show a mistake.

``python -m tests.faults.crash_points`` does the same and shows a table.
"""

import os
from collections.abc import Iterator
from typing import Final

import pytest

from cli.operators import databases, events
from tests.faults.crash_points import flows_bus, flows_checks, flows_refunds, flows_topups
from tests.faults.crash_points.control import Side
from tests.faults.crash_points.flow import Flow
from tests.faults.crash_points.flows import FLOWS
from tests.faults.crash_points.people import People
from tests.faults.crash_points.settling import settle
from tests.faults.crash_points.system import System, started
from tests.faults.crash_points.walk import Walk, Walked
from tests.support.servers import Servers

#: The numbered databases of Redis below these belong to the tests that ask for ``redis_url``.
FIRST_LANE: Final = 64


@pytest.fixture(scope="session")
def lane(test_servers: Servers) -> Iterator[tuple[System, People]]:
    """A system that all flows of this worker are walked on, one after the other."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with started(test_servers, FIRST_LANE + number) as system:
        people = People(system)
        system.stand_up({})
        people.register()
        yield system, people


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_whoever_dies_nothing_is_lost_or_doubled(lane: tuple[System, People], flow: type[Flow]) -> None:
    walked = Walk(*lane, flow).run()
    assert not walked.wrong, walked.story()
    assert not walked.lacking(flow.least)


#: The mistake, who makes it, and the flow that shows it.
MISTAKES: Final = (
    ("event after the commit", ("payments",), flows_topups.Notification),
    ("event after the commit", ("checks-worker",), flows_checks.Expire),
    ("event closed when taken", ("checks-relay", "payments-relay"), flows_bus.Relay),
    ("acknowledged before the commit", ("balance-worker",), flows_bus.Consume),
    ("effect before the key", ("payments",), flows_topups.TopUp),
    ("no answer is a no", ("checks",), flows_checks.Create),
    ("no answer is a yes", ("checks",), flows_checks.Accept),
    ("another key for each try", ("payments", "background"), flows_refunds.Refund),
    ("pending is forgotten", ("background",), flows_checks.Create),
)


@pytest.mark.parametrize(("mistake", "roles", "flow"), MISTAKES, ids=[f"{m[0]}, {m[2].name}" for m in MISTAKES])
def test_a_classic_mistake_is_found(
    lane: tuple[System, People], mistake: str, roles: tuple[str, ...], flow: type[Flow]
) -> None:
    walked = _with(lane, mistake, roles, flow)
    assert walked.wrong, f"{mistake} was not found by {len(walked.tried)} deaths"
    assert "nobody dies" not in walked.wrong, f"a mistake that shows without a death proves nothing: {walked.story()}"


def test_a_commit_that_has_no_hook_is_found(lane: tuple[System, People]) -> None:
    """PostgreSQL itself says how many transactions have left rows: no fewer must have been counted."""
    walked = _with(lane, "commits unseen", ("balance",), flows_checks.Create)
    assert any("were counted" in problem for problem in walked.wrong.get("nobody dies", [])), walked.story()


def test_a_replay_that_died_half_way_is_still_listed(lane: tuple[System, People]) -> None:
    """Taken off the dead letters and not sent: nobody works on it, so the operator must see it and do it again."""
    system, people = lane
    Walk(system, people, flows_bus.Replay).die_at("operator", 1, Side.AFTER)
    settle(system)
    event_id = system.value("balance", "SELECT event_id::text FROM dead_letters")
    urls = {name: system.environ[f"FASTCHECK_{name.upper()}_DATABASE_URL"] for name in databases.SERVICES}
    with databases.opened(urls) as opened:
        listed = events.list_events(opened, limit=10)
    assert [(line.state, line.event_id) for line in listed] == [("dead", event_id)]


def _with(lane: tuple[System, People], mistake: str, roles: tuple[str, ...], flow: type[Flow]) -> Walked:
    return Walk(*lane, flow, planted=dict.fromkeys(roles, (mistake,))).run(until_wrong=True)
