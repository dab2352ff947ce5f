"""The stage itself: locks and failures are PostgreSQL's, their order is the scheduler's."""

from collections.abc import Iterator
from typing import Final

import pytest
from sqlalchemy import text

from common.db.errors import sqlstate
from tests.faults.simulation.actors import Actor, Stage, State
from tests.faults.simulation.failures import AWAY, CONFLICT, LOST, UNHEARD
from tests.faults.simulation.moves import ALL_GATES
from tests.faults.simulation.world import World

_LOCK: Final = text("SELECT pg_advisory_xact_lock(:number)")
_WRITE: Final = text("INSERT INTO controlled.notes VALUES (:note)")


class _Play:
    """Actors who take locks and write notes in the database of checks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.stage: Stage = world.stage

    def actor(self, name: str, *locks: int) -> Actor:
        """Takes these locks one after the other in one transaction, and notes that he had them."""

        def work() -> None:
            with self._world.services.checks.db.transaction() as tx:
                for number in locks:
                    tx.execute(_LOCK, {"number": number})
                tx.execute(_WRITE, {"note": name})

        return self.stage.enter(Actor(name, "process", work, seed=1))

    def hold(self, name: str, *locks: int) -> Actor:
        """The same, and he has the first lock and stands before what comes next."""
        actor = self.actor(name, *locks)
        self.stage.run(actor, 2)
        return actor

    def notes(self) -> list[str]:
        return [row[0] for row in self._world.databases.rows("checks", "SELECT note FROM controlled.notes")]


def _state(actor: Actor) -> State:
    """As it is by now."""
    return actor.state


@pytest.fixture
def play(world: World) -> Iterator[_Play]:
    world.reset(1)
    administrator = world.databases
    administrator.run("checks", "CREATE TABLE controlled.notes (note text)")
    administrator.run("checks", "GRANT INSERT ON controlled.notes TO PUBLIC")
    yield _Play(world)
    world.stage.abandon()
    administrator.run("checks", "DROP TABLE controlled.notes")


def test_who_waits_for_a_lock_goes_on_when_the_scheduler_chooses(play: _Play) -> None:
    first, second, third = play.hold("first", 1), play.actor("second", 1), play.actor("third", 1)
    play.stage.run(second, ALL_GATES)
    play.stage.run(third, ALL_GATES)
    assert (_state(second), _state(third)) == (State.BLOCKED, State.BLOCKED)
    play.stage.run(first, ALL_GATES)
    # PostgreSQL gives locks in the order of asking; but he who has it now has not moved.
    assert (_state(first), _state(second), _state(third)) == (State.DONE, State.READY, State.BLOCKED)
    assert play.notes() == ["first"]
    play.stage.run(second, ALL_GATES)
    assert _state(third) is State.READY
    assert play.notes() == ["first", "second"]


def test_of_several_that_one_commit_frees_only_the_chosen_one_moves(play: _Play) -> None:
    holder = play.hold("holder", 1, 2)
    play.stage.run(holder, 1)
    waiting = [play.actor("left", 1), play.actor("right", 2)]
    for actor in waiting:
        play.stage.run(actor, ALL_GATES)
    play.stage.run(holder, ALL_GATES)
    assert [_state(actor) for actor in waiting] == [State.READY, State.READY]
    for actor in reversed(waiting):
        play.stage.run(actor, ALL_GATES)
    assert play.notes() == ["holder", "right", "left"]


def test_a_deadlock_ends_with_the_one_who_closed_the_circle(play: _Play) -> None:
    one, other = play.hold("one", 1, 2), play.hold("other", 2, 1)
    play.stage.run(one, ALL_GATES)
    assert _state(one) is State.BLOCKED
    play.stage.run(other, ALL_GATES)
    assert _state(other) is State.DONE
    assert other.error is not None
    assert sqlstate(other.error) == "40P01"
    assert _state(one) is State.READY
    play.stage.run(one, ALL_GATES)
    assert play.notes() == ["one"]


def test_a_lock_that_is_waited_for_too_long_is_told_as_postgresql_tells_it(play: _Play) -> None:
    play.hold("holder", 1)
    waiting = play.actor("waiting", 1)
    play.stage.run(waiting, ALL_GATES)
    play.stage.give_up_waiting(waiting)
    assert _state(waiting) is State.DONE
    assert waiting.error is not None
    assert sqlstate(waiting.error) == "55P03"


def test_a_process_that_is_killed_while_it_waits_does_nothing_more(play: _Play) -> None:
    holder, waiting = play.hold("holder", 1), play.actor("waiting", 1)
    play.stage.run(waiting, ALL_GATES)
    play.stage.kill(waiting)
    assert _state(waiting) is State.BLOCKED, "its statement is in the server"
    play.stage.run(holder, ALL_GATES)
    play.stage.run(waiting, ALL_GATES)
    assert _state(waiting) is State.DONE
    assert play.notes() == ["holder"]


@pytest.mark.parametrize(
    ("failure", "state", "notes"),
    [(LOST, None, []), (UNHEARD, None, ["actor"]), (CONFLICT, "40001", []), (AWAY, None, [])],
)
def test_a_commit_fails_before_or_after_it_is_done(
    play: _Play, failure: str, state: str | None, notes: list[str]
) -> None:
    actor = play.hold("actor", 1)
    play.stage.run(actor, 1)
    assert actor.at == "commit"
    play.stage.fail(actor, failure)
    assert _state(actor) is State.DONE
    assert actor.error is not None
    assert sqlstate(actor.error) == state
    assert play.notes() == notes
