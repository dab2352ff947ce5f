"""Runs one flow: counts its points, then kills a process at each side of each point and checks the result."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.faults import checker, responses
from tests.faults.connection import NoResponse
from tests.faults.crash_points.control import Mode, Passed, Side
from tests.faults.crash_points.flow import Flow
from tests.faults.crash_points.hooks import COMMIT
from tests.faults.crash_points.outcome import Outcome, differences, outcome
from tests.faults.crash_points.points import FAILED, KILLED
from tests.faults.crash_points.settling import settle, unfinished
from tests.faults.crash_points.system import System, when
from tests.faults.crash_points.users import RequestGroup, Users
from tests.faults.record import Record

_GRACE_SECONDS: Final = 0.1
_POLL_INTERVAL_SECONDS: Final = 0.01
DEATH_WITHIN_SECONDS: Final = 20.0
ALL: Final = slice(None)

Changes = Mapping[str, Sequence[str]]
_UNCHANGED: Final[Changes] = {}


@dataclass
class Result:
    """The result of all deaths of a flow."""

    flow: str
    #: All sides of all points of the flow.
    points: list[Passed] = field(default_factory=list)
    #: Those at which a process was killed.
    deaths: list[Passed] = field(default_factory=list)
    #: Violations by death. The run without a death is the first.
    wrong: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0

    def count(self, kind: str, role: str = "") -> int:
        """Return the number of points of a kind, optionally of one role."""
        return len({(p.role, p.ordinal) for p in self.points if p.kind == kind and role in ("", p.role)})

    def missing_points(self, minimum_points: Mapping[str, int]) -> list[str]:
        """Return a sentence for each process with fewer points than the flow requires."""
        found = {who: self.count(who.split(" ", 1)[1], who.split(" ", 1)[0]) for who in minimum_points}
        return [
            f"{who}: {found[who]} points instead of {count}"
            for who, count in minimum_points.items()
            if found[who] < count
        ]

    def report(self) -> str:
        how = f"{len(self.wrong)} of them leave violations" if self.wrong else "all clean"
        lines = [f"{self.flow}: {len(self.deaths)} deaths, {how}"]
        for death, problems in self.wrong.items():
            lines += [f"  {death}", *(f"    {problem}" for problem in problems)]
        return "\n".join(lines)


class Walk:
    """Runs one flow on one system."""

    def __init__(self, system: System, users: Users, kind: type[Flow], planted: Changes = _UNCHANGED) -> None:
        self._system = system
        self._users = users
        self._flow = kind(system, users)
        self._changes = {
            role: (*kind.changes.get(role, ()), *planted.get(role, ())) for role in {*kind.changes, *planted}
        }
        self._expected: Outcome | None = None

    def run(self, *, until_wrong: bool = False, chosen: slice = ALL) -> Result:
        """Run the chosen deaths; with ``until_wrong``, up to the first with a violation."""
        began = time.monotonic()
        result = Result(self._flow.name)
        self._prepare()
        problems, result.points = self._count_points()
        if problems:
            result.wrong["no death"] = problems
        else:
            for point in result.points[chosen]:
                result.deaths.append(point)
                if problems := self._kill_at(point):
                    result.wrong[describe(point)] = problems
                    if until_wrong:
                        break
        result.seconds = time.monotonic() - began
        return result

    def kill_at(self, role: str, ordinal: int, side: Side) -> None:
        """Kill a process at one point, and leave the system in that state."""
        self._prepare()
        self._begin()
        self._system.arm(Mode.KILL, role, ordinal, side)
        self._flow.act()
        status = self._system.status_of(role, within=DEATH_WITHIN_SECONDS)
        self._system.disarm()
        assert status == KILLED, f"{role} has the status {status}"

    def _prepare(self) -> None:
        system = self._system
        system.restore(to_the_first=True)
        system.restart(self._changes)
        self._flow.prepare()
        if any(system.is_alive(role) for role in system.alive if "-" in role):
            raise AssertionError("a background process still runs")
        system.save()

    def _begin(self) -> None:
        self._system.restore()
        self._system.restart_dead()
        self._users.warm_sessions()
        self._flow.request = None
        self._flow.group = None
        self._flow.arrange()

    def _count_points(self) -> tuple[list[str], list[Passed]]:
        """Run without a death; return violations and points, and record the expected outcome."""
        system = self._system
        self._begin()
        before = system.commits()
        system.arm(Mode.COUNT)
        self._flow.act()
        when(self._flow.is_done, f"{self._flow.name} is done")
        when(lambda: _are_complete(system.passed()), "every process has passed its last point")
        system.disarm()
        passed = [point for point in system.passed() if point.kind != FAILED]
        made = len(system.commits() - before)
        counted = len([point for point in passed if point.kind == COMMIT and point.side is Side.AFTER])
        problems = [f"{made} commits have left rows, and only {counted} were counted"] if made > counted else []
        problems += self._end(at_once=False)
        self._expected = outcome(system, self._users)
        return problems, [point for point in passed if point.role not in self._flow.spared]

    def _kill_at(self, point: Passed) -> list[str]:
        try:
            self._begin()
            self._system.arm(Mode.KILL, point.role, point.ordinal, point.side)
            self._flow.act()
            self._assert_died(point)
            # A death after one point is a death before the next: both orders of retry and settling are tested.
            return self._end(at_once=point.side is Side.AFTER)
        except (AssertionError, NoResponse) as error:
            # The state is unknown, so that the next death begins with new processes.
            self._system.disarm()
            self._system.restart(self._changes)
            return [str(error)]

    def _assert_died(self, point: Passed) -> None:
        status = self._system.status_of(point.role, within=DEATH_WITHIN_SECONDS)
        self._system.disarm()
        assert status == KILLED, f"this point was not reached again: {point.role} has the status {status}"
        found = self._system.passed()[0]
        assert found.label == point.label, f"another point was reached instead: {describe(found)}"

    def _end(self, *, at_once: bool) -> list[str]:
        """Let the system settle, use what it promised, and repeat the request under the same key.

        A client without a response repeats its request before (``at_once``) or after the system has settled.
        """
        system, request = self._system, self._flow.asked
        system.stop(*(role for role in system.alive if "-" in role))
        system.restart_dead()
        if at_once and request is not None and request.is_unknown:
            request.ask()
        settle(system)
        wrong = [f"without help: {what}" for what in unfinished(system)] if not self._flow.needs_an_operator else []
        if request is not None and request.is_unknown:
            request.send_until_final(system)
            request = None  # it is already repeated
        self._flow.finish()
        self._wait_until_finished()
        wrong += self._book_violations()
        if request is not None:
            request.send_until_final(system)
            self._wait_until_finished()
            wrong += [f"after another repetition: {each}" for each in self._outcome_violations()]
        return [*wrong, *self._response_violations()]

    def _wait_until_finished(self) -> None:
        """Wait until nothing is unfinished; settle if that takes longer than the grace period."""
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(unfinished(self._system)):
            if time.monotonic() > deadline:
                settle(self._system)
                return
            time.sleep(_POLL_INTERVAL_SECONDS)

    def _response_violations(self) -> list[str]:
        asked = self._flow.asked
        if asked is None:
            return []
        requests = asked.requests if isinstance(asked, RequestGroup) else [asked]
        record = Record(operations={request.name: request for request in requests})
        wrong = []
        for request in requests:
            wrong += [f"got {response}" for response in request.responses if response.status == 500]
            if request.is_unknown:
                wrong.append(f"never received a final response: {request.responses}")
        return [*wrong, *responses.repeats_get_the_first_response(record)]

    def _book_violations(self) -> list[str]:
        system = self._system
        wrong = [f"books: {violation}" for violation in checker.violations(system.books(), system.bank())]
        report = system.audit()
        wrong += [f"audit: {finding.rule}: {finding.subject}: {finding.message}" for finding in report.findings]
        wrong += [f"audit: in flight: {money.subject}: {money.reason}" for money in report.in_flight]
        return [*wrong, *self._outcome_violations()]

    def _outcome_violations(self) -> list[str]:
        balances = self._users.balances()
        wrong = []
        if balances != dict(self._flow.balances):
            wrong.append(f"balances are {balances}, and should be {dict(self._flow.balances)}")
        if self._expected is not None:
            wrong += differences(self._expected, outcome(self._system, self._users))
        return wrong


def _are_complete(points: Sequence[Passed]) -> bool:
    sides = [(point.role, point.ordinal) for point in points]
    return all(sides.count(side) == len(Side) for side in sides)


def describe(point: Passed) -> str:
    """Return a sentence for reports."""
    return f"{point.role} dies {point.side.name.lower()} {point.kind} (its point {point.ordinal}): {point.label}"
