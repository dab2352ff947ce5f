"""The scheduler: locks and failures are PostgreSQL's, and their order is the scheduler's."""

from collections.abc import Iterator
from typing import Final

import pytest
from sqlalchemy import text

from common.db.errors import sqlstate
from tests.faults.simulation.actors import Actor, Scheduler, State
from tests.faults.simulation.failures import AWAY, CONFLICT, LOST, UNHEARD
from tests.faults.simulation.moves import ALL_GATES
from tests.faults.simulation.system import SimulatedSystem

_LOCK: Final = text("SELECT pg_advisory_xact_lock(:number)")
_WRITE: Final = text("INSERT INTO controlled.notes VALUES (:note)")


class _Locks:
    """Actors that take locks and write notes in the database of checks."""

    def __init__(self, system: SimulatedSystem) -> None:
        self._system = system
        self.scheduler: Scheduler = system.scheduler

    def actor(self, name: str, *locks: int) -> Actor:
        """Add an actor that takes these locks in one transaction and then writes a note."""

        def work() -> None:
            with self._system.services.checks.db.transaction() as tx:
                for number in locks:
                    tx.execute(_LOCK, {"number": number})
                tx.execute(_WRITE, {"note": name})

        return self.scheduler.enter(Actor(name, "process", work, seed=1))

    def hold(self, name: str, *locks: int) -> Actor:
        """Add an actor that holds the first lock."""
        actor = self.actor(name, *locks)
        self.scheduler.run(actor, 2)
        return actor

    def notes(self) -> list[str]:
        return [row[0] for row in self._system.databases.rows("checks", "SELECT note FROM controlled.notes")]


def _state(actor: Actor) -> State:
    """Return the current state."""
    return actor.state


@pytest.fixture
def locks(system: SimulatedSystem) -> Iterator[_Locks]:
    system.reset(1)
    administrator = system.databases
    administrator.run("checks", "CREATE TABLE controlled.notes (note text)")
    administrator.run("checks", "GRANT INSERT ON controlled.notes TO PUBLIC")
    yield _Locks(system)
    system.scheduler.abandon()
    administrator.run("checks", "DROP TABLE controlled.notes")


def test_actor_with_a_granted_lock_continues_when_the_scheduler_chooses_it(locks: _Locks) -> None:
    first, second, third = locks.hold("first", 1), locks.actor("second", 1), locks.actor("third", 1)
    locks.scheduler.run(second, ALL_GATES)
    locks.scheduler.run(third, ALL_GATES)
    assert (_state(second), _state(third)) == (State.BLOCKED, State.BLOCKED)
    locks.scheduler.run(first, ALL_GATES)
    # PostgreSQL grants locks in the order of requests. The actor that was granted one has not run yet.
    assert (_state(first), _state(second), _state(third)) == (State.DONE, State.READY, State.BLOCKED)
    assert locks.notes() == ["first"]
    locks.scheduler.run(second, ALL_GATES)
    assert _state(third) is State.READY
    assert locks.notes() == ["first", "second"]


def test_commit_that_frees_several_actors_lets_only_the_chosen_one_run(locks: _Locks) -> None:
    holder = locks.hold("holder", 1, 2)
    locks.scheduler.run(holder, 1)
    waiting = [locks.actor("left", 1), locks.actor("right", 2)]
    for actor in waiting:
        locks.scheduler.run(actor, ALL_GATES)
    locks.scheduler.run(holder, ALL_GATES)
    assert [_state(actor) for actor in waiting] == [State.READY, State.READY]
    for actor in reversed(waiting):
        locks.scheduler.run(actor, ALL_GATES)
    assert locks.notes() == ["holder", "right", "left"]


def test_deadlock_fails_the_actor_that_closed_the_cycle(locks: _Locks) -> None:
    one, other = locks.hold("one", 1, 2), locks.hold("other", 2, 1)
    locks.scheduler.run(one, ALL_GATES)
    assert _state(one) is State.BLOCKED
    locks.scheduler.run(other, ALL_GATES)
    assert _state(other) is State.DONE
    assert other.error is not None
    assert sqlstate(other.error) == "40P01"
    assert _state(one) is State.READY
    locks.scheduler.run(one, ALL_GATES)
    assert locks.notes() == ["one"]


def test_lock_time_out_raises_the_error_of_postgresql(locks: _Locks) -> None:
    locks.hold("holder", 1)
    waiting = locks.actor("waiting", 1)
    locks.scheduler.run(waiting, ALL_GATES)
    locks.scheduler.give_up_waiting(waiting)
    assert _state(waiting) is State.DONE
    assert waiting.error is not None
    assert sqlstate(waiting.error) == "55P03"


def test_actor_killed_while_it_waits_for_a_lock_writes_nothing(locks: _Locks) -> None:
    holder, waiting = locks.hold("holder", 1), locks.actor("waiting", 1)
    locks.scheduler.run(waiting, ALL_GATES)
    locks.scheduler.kill(waiting)
    assert _state(waiting) is State.BLOCKED, "its statement is in the server"
    locks.scheduler.run(holder, ALL_GATES)
    locks.scheduler.run(waiting, ALL_GATES)
    assert _state(waiting) is State.DONE
    assert locks.notes() == ["holder"]


@pytest.mark.parametrize(
    ("failure", "state", "notes"),
    [(LOST, None, []), (UNHEARD, None, ["actor"]), (CONFLICT, "40001", []), (AWAY, None, [])],
)
def test_a_commit_fails_before_or_after_it_is_done(
    locks: _Locks, failure: str, state: str | None, notes: list[str]
) -> None:
    actor = locks.hold("actor", 1)
    locks.scheduler.run(actor, 1)
    assert actor.at == "commit"
    locks.scheduler.fail(actor, failure)
    assert _state(actor) is State.DONE
    assert actor.error is not None
    assert sqlstate(actor.error) == state
    assert locks.notes() == notes
