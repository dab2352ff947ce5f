"""Walks one flow: counts its points, then dies at each of them, on either side, and looks what has become of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.faults import checker
from tests.faults.chaos.wire import Silence
from tests.faults.crash_points.control import Mode, Passed, Side
from tests.faults.crash_points.flow import Flow
from tests.faults.crash_points.hooks import COMMIT
from tests.faults.crash_points.outcome import Outcome, differences, outcome
from tests.faults.crash_points.people import People
from tests.faults.crash_points.points import FAILED, KILLED
from tests.faults.crash_points.settling import settle, unfinished
from tests.faults.crash_points.system import System, when

_MOMENT_SECONDS: Final = 0.1
_LOOK_EVERY_SECONDS: Final = 0.01
DEATH_WITHIN_SECONDS: Final = 20.0

Changes = Mapping[str, Sequence[str]]
_AS_IT_IS: Final[Changes] = {}


@dataclass
class Walked:
    """What came of it."""

    flow: str
    #: Each is one death: a side of a point.
    tried: list[Passed] = field(default_factory=list)
    #: What was wrong, by the death; the first is that of the run in which nobody died.
    wrong: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0

    def count(self, kind: str, role: str = "") -> int:
        """Points, not sides."""
        return len({(p.role, p.ordinal) for p in self.tried if p.kind == kind and role in ("", p.role)})

    def lacking(self, least: Mapping[str, int]) -> list[str]:
        """What belongs to the flow and was not come by."""
        found = {who: self.count(who.split(" ", 1)[1], who.split(" ", 1)[0]) for who in least}
        return [f"{who}: {found[who]} points instead of {count}" for who, count in least.items() if found[who] < count]

    def story(self) -> str:
        how = f"{len(self.wrong)} of them leave something wrong" if self.wrong else "all clean"
        lines = [f"{self.flow}: {len(self.tried)} deaths, {how}"]
        for death, problems in self.wrong.items():
            lines += [f"  {death}", *(f"    {problem}" for problem in problems)]
        return "\n".join(lines)


class Walk:
    """One flow on one system."""

    def __init__(self, system: System, people: People, kind: type[Flow], planted: Changes = _AS_IT_IS) -> None:
        self._system = system
        self._people = people
        self._flow = kind(system, people)
        self._changes = {
            role: (*kind.changes.get(role, ()), *planted.get(role, ())) for role in {*kind.changes, *planted}
        }
        self._expected: Outcome | None = None

    def run(self, *, until_wrong: bool = False) -> Walked:
        """All deaths; ``until_wrong``: up to the first that leaves something wrong."""
        began = time.monotonic()
        walked = Walked(self._flow.name)
        self._prepare()
        problems, points = self._live()
        if problems:
            walked.wrong["nobody dies"] = problems
        else:
            for point in points:
                walked.tried.append(point)
                if problems := self._die(point):
                    walked.wrong[told(point)] = problems
                    if until_wrong:
                        break
        walked.seconds = time.monotonic() - began
        return walked

    def die_at(self, role: str, ordinal: int, side: Side) -> None:
        """One death, and nothing behind it: for who wants to see what it leaves."""
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
        system.stand_up(self._changes)
        self._flow.prepare()
        if any(system.is_alive(role) for role in system.alive if "-" in role):
            raise AssertionError("something works in the background that should not")
        system.keep()

    def _begin(self) -> None:
        self._system.restore()
        self._system.revive()
        self._people.look()
        self._flow.request = None
        self._flow.arrange()

    def _live(self) -> tuple[list[str], list[Passed]]:
        """Nobody dies: the points, and what the flow comes to."""
        system = self._system
        self._begin()
        before = system.commits()
        system.arm(Mode.COUNT)
        self._flow.act()
        when(self._flow.is_done, f"{self._flow.name} is done")
        when(lambda: _are_whole(system.passed()), "every process is behind its last point")
        system.disarm()
        points = [point for point in system.passed() if point.kind != FAILED]
        made = len(system.commits() - before)
        counted = len([point for point in points if point.kind == COMMIT and point.side is Side.AFTER])
        problems = [f"{made} commits have left rows, and only {counted} were counted"] if made > counted else []
        problems += self._end(at_once=False)
        self._expected = outcome(system, self._people)
        return problems, points

    def _die(self, point: Passed) -> list[str]:
        try:
            self._begin()
            self._system.arm(Mode.KILL, point.role, point.ordinal, point.side)
            self._flow.act()
            self._must_have_died(point)
            # To die behind one point is to die before the next one. So either comes once in this order, once in that.
            return self._end(at_once=point.side is Side.AFTER)
        except (AssertionError, Silence) as error:
            # Whatever state this has left, the next death begins with new processes.
            self._system.disarm()
            self._system.stand_up(self._changes)
            return [str(error)]

    def _must_have_died(self, point: Passed) -> None:
        status = self._system.status_of(point.role, within=DEATH_WITHIN_SECONDS)
        self._system.disarm()
        assert status == KILLED, f"this point was not come by again: {point.role} has the status {status}"
        found = self._system.passed()[0]
        assert found.label == point.label, f"another point was come by in its place: {told(found)}"

    def _end(self, *, at_once: bool) -> list[str]:
        """Left to itself, then made to keep its word, then asked again under the same key.

        Who has got no answer asks again before (``at_once``) or after all has come to rest.
        """
        system, request = self._system, self._flow.request
        system.stop(*(role for role in system.alive if "-" in role))
        system.revive()
        if at_once and request is not None and not request.told:
            request.ask()
        settle(system)
        wrong = [f"left to itself: {what}" for what in unfinished(system)] if not self._flow.waits_for_a_person else []
        if request is not None and not request.told:
            request.ask_until_told(system)
            request = None  # it was asked again already
        self._flow.finish()
        self._come_to_rest()
        wrong += self._of_books()
        if request is not None:
            request.ask_until_told(system)
            self._come_to_rest()
            wrong += [f"asked once more: {each}" for each in self._of_outcome()]
        return [*wrong, *self._of_words()]

    def _come_to_rest(self) -> None:
        """Most of what is left a moment after an answer is on its way and needs nobody's help."""
        deadline = time.monotonic() + _MOMENT_SECONDS
        while any(unfinished(self._system)):
            if time.monotonic() > deadline:
                settle(self._system)
                return
            time.sleep(_LOOK_EVERY_SECONDS)

    def _of_words(self) -> list[str]:
        request = self._flow.request
        if request is None:
            return []
        wrong = [f"was answered {unclear}" for unclear in request.unclear if unclear.startswith("500")]
        if not request.told:
            return [*wrong, f"never got a final answer: {request.unclear}"]
        if any(told != request.told[0] for told in request.told):
            wrong.append(f"was told different things under one key: {request.told}")
        return wrong

    def _of_books(self) -> list[str]:
        system = self._system
        wrong = [f"books: {violation}" for violation in checker.violations(system.books(), system.bank())]
        report = system.audit()
        wrong += [f"audit: {finding.rule}: {finding.subject}: {finding.message}" for finding in report.findings]
        wrong += [f"audit: still on its way: {money.subject}: {money.reason}" for money in report.in_flight]
        return [*wrong, *self._of_outcome()]

    def _of_outcome(self) -> list[str]:
        balances = self._people.balances()
        wrong = []
        if balances != dict(self._flow.balances):
            wrong.append(f"balances are {balances}, and should be {dict(self._flow.balances)}")
        if self._expected is not None:
            wrong += differences(self._expected, outcome(self._system, self._people))
        return wrong


def _are_whole(points: Sequence[Passed]) -> bool:
    sides = [(point.role, point.ordinal) for point in points]
    return all(sides.count(side) == len(Side) for side in sides)


def told(point: Passed) -> str:
    """For people."""
    return f"{point.role} dies {point.side.name.lower()} {point.kind} (its point {point.ordinal}): {point.label}"
