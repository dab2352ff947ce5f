"""Actors: real code on threads, of which exactly one runs at a time.

An actor stops at *gates*: before each SQL statement, before each commit, where it calls another service, and at its
end. The scheduler lets one actor run to its next gate and then decides again, so that it controls the order of all
events. At a gate an actor can be killed, like a process, or its transaction can fail.

Locks are PostgreSQL's own; the scheduler controls only their timing. It asks PostgreSQL which backend waits for which,
and stops a waiting backend (SIGSTOP). When the lock is granted, the actor is ready, and its backend continues when the
scheduler chooses it. At most one backend works at a time, so that a seed is deterministic.
"""

import threading
from collections.abc import Callable, Iterable
from enum import Enum
from queue import Empty, SimpleQueue
from random import Random
from typing import Any, Final, Protocol

from tests.faults.simulation.failures import DEADLOCK, TIME_OUT

#: Intervals between checks whether an actor waits for a lock. The result does not depend on them.
FIRST_POLL_SECONDS: Final = 0.001
MAX_POLL_SECONDS: Final = 0.02
#: About a minute: longer than any step of a simulation.
MAX_POLLS: Final = 3_000

_current = threading.local()


class Killed(BaseException):
    """The process of this actor was killed. No code may catch it."""


class State(Enum):
    """States of an actor."""

    READY = "ready"  # at a gate, may be let through
    WAITING = "waiting"  # for a response over the network, or for its group
    BLOCKED = "blocked"  # in PostgreSQL, by a lock
    MOVING = "moving"
    DONE = "done"


class Locks(Protocol):
    """Lock waits in the database, and control over backends."""

    def blockers(self, pids: Iterable[int]) -> dict[int, set[int]]:
        """Return, for each backend that waits for a lock, the backends that hold it."""

    def cancel(self, pid: int) -> None:
        """Cancel the statement of a backend."""

    def stop(self, pid: int) -> None:
        """Stop a backend that waits for a lock."""

    def resume(self, pid: int) -> None:
        """Let a stopped backend continue."""


class Actor:
    """Real code on its own thread. It is killed with its ``process``."""

    def __init__(self, name: str, process: str, work: Callable[[], Any], *, seed: object) -> None:
        self.name = name
        self.process = process
        #: Written by the scheduler only. The actor sets ``arrives_as``.
        self.state = State.READY
        self.arrives_as = State.READY
        self.at = "start"
        #: Source of ids and codes. It depends on the actor's name, not on earlier events.
        self.random = Random(f"{seed}/{name}")
        #: Process id of the backend that executes its statements, or 0.
        self.backend_pid = 0
        #: Whether the backend is stopped.
        self.is_stopped = False
        #: Why its statement is being cancelled.
        self.given_up = ""
        #: The failure of its transaction at the current gate.
        self.failure = ""
        self.calls = 0
        #: Name of the request whose response it waits for.
        self.waits_for = ""
        self.answer: Any = None
        #: The request that it serves, or the message that it consumes.
        self.packet: Any = None
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
    """Return the actor of the current thread, or None."""
    actor: Actor | None = getattr(_current, "actor", None)
    return actor


class Scheduler:
    """Holds the actors, and lets one run at a time."""

    def __init__(self, locks: Locks) -> None:
        self.actors: dict[str, Actor] = {}
        self._locks = locks
        self._arrivals: SimpleQueue[Actor] = SimpleQueue()

    def enter(self, actor: Actor) -> Actor:
        """Add an actor, which waits at its first gate."""
        if actor.name in self.actors:
            raise ValueError(f"there is an actor {actor.name} already")
        self.actors[actor.name] = actor
        return actor

    def run(self, actor: Actor, gates: int) -> None:
        """Let a ready actor pass this many gates, and wait until it stops."""
        if actor.state is not State.READY:
            raise ValueError(f"{actor} is not ready")
        actor.gates_left = gates
        self._resume(actor)

    def answer(self, actor: Actor, answer: Any) -> None:
        """Give a waiting actor its response. The actor is then ready."""
        actor.answer = answer
        actor.state = State.READY

    def kill(self, actor: Actor) -> None:
        """Kill an actor. A statement that the server already executes is completed there."""
        actor.killed = True
        if actor.state is State.READY and actor.thread is None:
            actor.state = State.DONE
            actor.error = Killed()
        elif actor.state in (State.READY, State.WAITING):
            self._resume(actor)

    def give_up_waiting(self, actor: Actor) -> None:
        """Let a blocked actor's lock time-out expire."""
        self._give_up(actor, TIME_OUT)
        self._resume(actor)

    def fail(self, actor: Actor, failure: str) -> None:
        """Fail the transaction of a ready actor at a statement or a commit."""
        actor.failure = failure
        self.run(actor, 1)

    def abandon(self) -> None:
        """Kill all actors."""
        while self.actors:
            for actor in list(self.actors.values()):
                self.kill(actor)
            self.forget_done()

    def of_state(self, state: State) -> list[Actor]:
        return [actor for actor in self.actors.values() if actor.state is state]

    def forget_done(self) -> None:
        """Remove the actors that are done, after their threads have ended."""
        for actor in self.of_state(State.DONE):
            if actor.thread is not None:
                actor.thread.join()
            del self.actors[actor.name]

    def gate(self, at: str, state: State = State.READY) -> None:
        """Stop the calling actor until the scheduler lets it continue."""
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
            actor.thread = threading.Thread(target=self._run_actor, args=(actor,), name=actor.name, daemon=True)
            actor.thread.start()
        else:
            actor.baton.release()
        self._wait_until_it_stops(actor)
        self._release_granted()

    def _run_actor(self, actor: Actor) -> None:
        _current.actor = actor
        try:
            actor.result = actor.work()
            self.gate("end")
        except BaseException as error:  # noqa: BLE001  the scheduler evaluates it
            actor.error = error
        actor.at = "done"
        actor.arrives_as = State.DONE
        self._arrivals.put(actor)

    def _wait_until_it_stops(self, actor: Actor) -> None:
        """Wait until the running actor is at a gate or waits for a lock of an actor that does not run."""
        for poll in range(MAX_POLLS):
            try:
                arrived = self._arrivals.get(timeout=min(FIRST_POLL_SECONDS * 2**poll, MAX_POLL_SECONDS))
            except Empty:
                if self._waits_for_a_lock(actor):
                    return
                continue
            arrived.state = arrived.arrives_as
            return
        raise RuntimeError(f"{actor} neither reaches a gate nor waits for a lock")

    def _waits_for_a_lock(self, actor: Actor) -> bool:
        """Return whether it waits, and only for actors: this lasts until one of them runs."""
        blocked = {other.backend_pid: other for other in self.of_state(State.BLOCKED)}
        blockers = self._locks.blockers([actor.backend_pid, *blocked])
        awaited = blockers.get(actor.backend_pid, set())
        others = {other.backend_pid for other in self.actors.values() if other is not actor}
        if actor.given_up or not awaited or not awaited <= others:
            return False
        if _in_a_cycle(actor.backend_pid, blockers):
            # PostgreSQL would cancel one of them later. Here it is always the one that closed the cycle.
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

    def _release_granted(self) -> None:
        blocked = self.of_state(State.BLOCKED)
        blockers = self._locks.blockers(actor.backend_pid for actor in blocked)
        for actor in blocked:
            if actor.backend_pid not in blockers:
                actor.state = State.READY
                actor.at = "may have its lock"


def _in_a_cycle(start: int, blockers: dict[int, set[int]]) -> bool:
    seen: set[int] = set()
    ahead = {start}
    while ahead:
        ahead = {pid for waiting in ahead for pid in blockers.get(waiting, ())} - seen
        if start in ahead:
            return True
        seen |= ahead
    return False
