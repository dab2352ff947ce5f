"""Every flow with deaths on either side of some of its points, and planted defects that the deaths must detect.

``python -m tests.faults.crash_points`` runs every death of every flow.
"""

import os
import random
from collections.abc import Iterator
from typing import Final

import pytest

from cli.operators import databases, events
from tests.faults import defects
from tests.faults.crash_points import flows_bus, flows_checks, flows_refunds, flows_topups
from tests.faults.crash_points.control import Side
from tests.faults.crash_points.flow import Flow
from tests.faults.crash_points.flows import FLOWS
from tests.faults.crash_points.settling import settle
from tests.faults.crash_points.system import System, started
from tests.faults.crash_points.users import Users
from tests.faults.crash_points.walk import Result, Walk
from tests.support.servers import Servers

#: The numbered databases of Redis below these belong to the tests that ask for ``redis_url``.
FIRST_LANE: Final = 64
#: An odd number, so that deaths before and after a point alternate.
ONE_IN: Final = 5


@pytest.fixture(scope="session")
def lane(test_servers: Servers) -> Iterator[tuple[System, Users]]:
    """The system on which all flows of this worker run."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with started(test_servers, FIRST_LANE + number) as system:
        users = Users(system)
        system.restart({})
        users.register()
        yield system, users


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_death_at_a_point_of_a_flow_leaves_no_violation(lane: tuple[System, Users], flow: type[Flow]) -> None:
    """Run one death in five, from a random one on. The report of a failure names the death."""
    result = Walk(*lane, flow).run(chosen=slice(random.randrange(ONE_IN), None, ONE_IN))
    assert not result.wrong, result.report()
    assert not result.missing_points(flow.minimum_points)


#: For each defect of the catalogue that crash points must detect: the processes it is planted in, and the flow.
PLANTED: Final = (
    ("event_is_written_after_the_commit", ("payments",), flows_topups.Notification),
    ("event_is_written_after_the_commit", ("checks-worker",), flows_checks.Expire),
    ("event_is_closed_when_it_is_sent", ("checks-relay", "payments-relay"), flows_bus.Relay),
    ("event_is_acknowledged_before_the_commit", ("balance-worker",), flows_bus.Consume),
    ("effect_is_committed_before_the_idempotency_key", ("payments",), flows_topups.TopUp),
    ("unknown_outcome_of_a_hold_is_taken_for_a_refusal", ("checks",), flows_checks.Create),
    ("unknown_outcome_of_a_settlement_is_taken_for_success", ("checks",), flows_checks.Accept),
    ("refund_is_retried_with_a_new_key", ("payments", "background"), flows_refunds.Refund),
    ("pending_checks_are_not_finished", ("background",), flows_checks.Create),
)
#: Detected by PostgreSQL's count of transactions, without a death.
UNHOOKED: Final = "commits_are_not_hooked"


def test_every_defect_that_crash_points_claim_is_planted() -> None:
    claimed = {defect.name for defect in defects.detected_by("crash_points")}
    assert {name for name, _, _ in PLANTED} | {UNHOOKED} == claimed


@pytest.mark.parametrize(("defect", "roles", "flow"), PLANTED, ids=[f"{p[0]}, {p[2].name}" for p in PLANTED])
def test_planted_defect_shows_after_a_death_and_only_then(
    lane: tuple[System, Users], defect: str, roles: tuple[str, ...], flow: type[Flow]
) -> None:
    result = _with(lane, defect, roles, flow)
    assert result.wrong, f"{defect} was not detected by {len(result.deaths)} deaths"
    assert "no death" not in result.wrong, f"the defect shows without a death: {result.report()}"


def test_commit_without_a_hook_is_detected_by_the_count_of_transactions(lane: tuple[System, Users]) -> None:
    result = _with(lane, UNHOOKED, ("balance",), flows_checks.Create)
    assert any("were counted" in problem for problem in result.wrong.get("no death", [])), result.report()


def test_replay_that_died_between_its_commits_is_still_listed(lane: tuple[System, Users]) -> None:
    """The event is taken off the dead letters and not sent, so that the operator must see it and repeat the command."""
    system, users = lane
    Walk(system, users, flows_bus.Replay).kill_at("operator", 1, Side.AFTER)
    settle(system)
    event_id = system.value("balance", "SELECT event_id::text FROM dead_letters")
    urls = {name: system.environ[f"FASTCHECK_{name.upper()}_DATABASE_URL"] for name in databases.SERVICES}
    with databases.opened(urls) as opened:
        listed = events.list_events(opened, limit=10)
    assert [(line.state, line.event_id) for line in listed] == [("dead", event_id)]


def _with(lane: tuple[System, Users], defect: str, roles: tuple[str, ...], flow: type[Flow]) -> Result:
    return Walk(*lane, flow, planted=dict.fromkeys(roles, (defect,))).run(until_wrong=True)
