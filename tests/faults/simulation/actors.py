"""Actors: pieces of real code, each on a thread of its own, of which exactly one moves at a time.

An actor stops at *gates*: before each SQL statement, before each commit, where it calls another service, and at its
end. The scheduler lets one actor run to its next gate and then decides anew, so the order of everything that happens
is the scheduler's choice. An actor can be killed at a gate, as a process dies, or its transaction be made to fail.

Locks are PostgreSQL's own, and only their timing is taken from it. An actor that waits for one is noticed by asking
PostgreSQL who waits for whom, and its backend is stopped (SIGSTOP) at once. When somebody has given it the lock it is
ready like any other, and its backend goes on when the scheduler lets it. So never more than one backend works, and a
seed always does the same.
"""

import threading
from collections.abc import Callable, Iterable
from enum import Enum
from queue import Empty, SimpleQueue
from random import Random
from typing import Any, Final, Protocol

from tests.faults.simulation.failures import DEADLOCK, TIME_OUT

#: Whether who does not arrive at a gate waits for a lock is asked after so long, and then seldomer, down to the second.
#: What is found does not depend on it.
LOOK_AFTER_SECONDS: Final = 0.001
LOOK_EVERY_SECONDS: Final = 0.02
#: Nothing in a simulation takes a minute: the machine, or the simulation, is broken.
STUCK_AFTER_LOOKS: Final = 3_000

_current = threading.local()


class Killed(BaseException):
    """The process of this actor is gone. No code may catch it, as no code survives a kill."""


class State(Enum):
    """What the scheduler can do with an actor."""

    READY = "ready"  # at a gate, may be let through
    WAITING = "waiting"  # for an answer over the network
    BLOCKED = "blocked"  # in PostgreSQL, by somebody's lock
    MOVING = "moving"
    DONE = "done"


class Locks(Protocol):
    """Who waits for whom in the database, and which backend may work."""

    def blockers(self, pids: Iterable[int]) -> dict[int, set[int]]:
        """For each backend that waits for a lock, the backends that it waits for."""

    def cancel(self, pid: int) -> None:
        """Give up the statement of a backend."""

    def stop(self, pid: int) -> None:
        """Let a backend that waits for a lock do nothing, whatever it is given."""

    def resume(self, pid: int) -> None:
        """Let it go on."""


class Actor:
    """One piece of real code on its own thread. ``process`` names what it dies with."""

    def __init__(self, name: str, process: str, work: Callable[[], Any], *, seed: object) -> None:
        self.name = name
        self.process = process
        #: Written by the scheduler alone. The actor says what it is to be when it has arrived.
        self.state = State.READY
        self.arrives_as = State.READY
        self.at = "start"
        #: Ids and codes that this actor makes: they depend on its name, and not on what others did before.
        self.random = Random(f"{seed}/{name}")
        #: The backend that works for it, while it has one.
        self.backend_pid = 0
        #: The backend is stopped, and not the thread.
        self.is_stopped = False
        #: Why the statement that it runs is being given up, until it has been.
        self.given_up = ""
        #: How its transaction is to fail at the gate at which it stands.
        self.failure = ""
        self.calls = 0
        #: The name of the request whose answer it waits for.
        self.waits_for = ""
        self.answer: Any = None
        #: What it owes an answer to, or has taken from the broker.
        self.letter: Any = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.killed = False
        self.gates_left = 0
        self.baton = threading.Semaphore(0)
        self.work = work
        self.thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<{self.name} {self.state.value} at {self.at}>"


def current() -> Actor | None:
    """The actor whose thread this is."""
    actor: Actor | None = getattr(_current, "actor", None)
    return actor


class Stage:
    """Where the actors are, and who may move."""

    def __init__(self, locks: Locks) -> None:
        self.actors: dict[str, Actor] = {}
        self._locks = locks
        self._arrivals: SimpleQueue[Actor] = SimpleQueue()

    def enter(self, actor: Actor) -> Actor:
        """A new actor waits at his first gate."""
        if actor.name in self.actors:
            raise ValueError(f"there is an actor {actor.name} already")
        self.actors[actor.name] = actor
        return actor

    def run(self, actor: Actor, gates: int) -> None:
        """Let a ready actor pass this many gates, and wait until nobody moves."""
        if actor.state is not State.READY:
            raise ValueError(f"{actor} is not ready")
        actor.gates_left = gates
        self._resume(actor)

    def answer(self, actor: Actor, answer: Any) -> None:
        """Give a waiting actor what he waits for. He is ready then, and has not moved."""
        actor.answer = answer
        actor.state = State.READY

    def kill(self, actor: Actor) -> None:
        """His process dies. A statement that is in the server already runs to its end there, as in reality."""
        actor.killed = True
        if actor.state is State.READY and actor.thread is None:
            actor.state = State.DONE
            actor.error = Killed()
        elif actor.state in (State.READY, State.WAITING):
            self._resume(actor)

    def give_up_waiting(self, actor: Actor) -> None:
        """The lock time-out of a blocked actor strikes."""
        self._give_up(actor, TIME_OUT)
        self._resume(actor)

    def fail(self, actor: Actor, failure: str) -> None:
        """Something befalls the transaction of a ready actor, who stands before a statement or a commit."""
        actor.failure = failure
        self.run(actor, 1)

    def abandon(self) -> None:
        """Kill everybody."""
        while self.actors:
            for actor in list(self.actors.values()):
                self.kill(actor)
            self.forget_done()

    def of_state(self, state: State) -> list[Actor]:
        return [actor for actor in self.actors.values() if actor.state is state]

    def forget_done(self) -> None:
        """Drop the actors that are done, after their threads have ended."""
        for actor in self.of_state(State.DONE):
            if actor.thread is not None:
                actor.thread.join()
            del self.actors[actor.name]

    def gate(self, at: str, state: State = State.READY) -> None:
        """Called by the code of an actor: stop here until the scheduler says to go on."""
        actor = current()
        if actor is None:
            return
        if actor.killed:
            raise Killed
        if state is State.READY and actor.gates_left > 1:
            actor.gates_left -= 1
            return
        actor.at = at
        actor.answer = None
        actor.arrives_as = state
        self._arrivals.put(actor)
        actor.baton.acquire()
        if actor.killed:
            raise Killed

    def _resume(self, actor: Actor) -> None:
        actor.state = State.MOVING
        if actor.is_stopped:
            actor.is_stopped = False
            self._locks.resume(actor.backend_pid)
        elif actor.thread is None:
            actor.thread = threading.Thread(target=self._play, args=(actor,), name=actor.name, daemon=True)
            actor.thread.start()
        else:
            actor.baton.release()
        self._until_it_rests(actor)
        self._see_who_was_given_a_lock()

    def _play(self, actor: Actor) -> None:
        _current.actor = actor
        try:
            actor.result = actor.work()
            self.gate("end")
        except BaseException as error:  # noqa: BLE001  whatever it is, the scheduler judges it
            actor.error = error
        actor.at = "done"
        actor.arrives_as = State.DONE
        self._arrivals.put(actor)

    def _until_it_rests(self, actor: Actor) -> None:
        """Wait until the one who moves is at a gate or waits for somebody who does not move: one of both it will be."""
        for looks in range(STUCK_AFTER_LOOKS):
            try:
                arrived = self._arrivals.get(timeout=min(LOOK_AFTER_SECONDS * 2**looks, LOOK_EVERY_SECONDS))
            except Empty:
                if self._waits_for_a_lock(actor):
                    return
                continue
            arrived.state = arrived.arrives_as
            return
        raise RuntimeError(f"{actor} does not arrive anywhere")

    def _waits_for_a_lock(self, actor: Actor) -> bool:
        """Whether it waits, and only for actors: then it waits until one of them has moved."""
        blocked = {other.backend_pid: other for other in self.of_state(State.BLOCKED)}
        blockers = self._locks.blockers([actor.backend_pid, *blocked])
        awaited = blockers.get(actor.backend_pid, set())
        others = {other.backend_pid for other in self.actors.values() if other is not actor}
        if actor.given_up or not awaited or not awaited <= others:
            return False
        if _in_a_circle(actor.backend_pid, blockers):
            # PostgreSQL would end one of them after a while. Here it is always the one who closed the circle.
            self._give_up(actor, DEADLOCK)
            return False
        self._locks.stop(actor.backend_pid)
        actor.is_stopped = True
        actor.state = State.BLOCKED
        actor.at = "waits for a lock"
        actor.gates_left = 0
        return True

    def _give_up(self, actor: Actor, reason: str) -> None:
        actor.given_up = reason
        self._locks.cancel(actor.backend_pid)

    def _see_who_was_given_a_lock(self) -> None:
        blocked = self.of_state(State.BLOCKED)
        blockers = self._locks.blockers(actor.backend_pid for actor in blocked)
        for actor in blocked:
            if actor.backend_pid not in blockers:
                actor.state = State.READY
                actor.at = "may have its lock"


def _in_a_circle(start: int, blockers: dict[int, set[int]]) -> bool:
    seen: set[int] = set()
    ahead = {start}
    while ahead:
        ahead = {pid for waiting in ahead for pid in blockers.get(waiting, ())} - seen
        if start in ahead:
            return True
        seen |= ahead
    return False
