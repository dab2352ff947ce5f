"""Actors: pieces of real code, each on a thread of its own, of which exactly one moves at a time.

An actor stops at *gates*: before each SQL statement, before each commit, where it calls another service, and at its
end. The scheduler lets one actor run to its next gate and then decides anew, so the order of everything that happens
is the scheduler's choice. An actor that waits for a row lock in PostgreSQL is noticed by asking PostgreSQL; the
others go on, and it moves again when the lock is free. An actor can be killed at a gate, as a process dies.
"""

import threading
from collections.abc import Callable, Iterable
from enum import Enum
from queue import Empty, SimpleQueue
from random import Random
from typing import Any, Final, Protocol

#: What does not arrive at a gate within this time is looked up: it may wait for a lock.
LOOK_AFTER_SECONDS: Final = 0.003
#: Nothing in a simulation takes as long: the machine, or the simulation, is broken.
STUCK_AFTER_LOOKS: Final = 10_000

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
    """Who waits for whom in the database."""

    def blockers(self, pids: Iterable[int]) -> dict[int, set[int]]:
        """For each backend that waits for a lock, the backends that it waits for."""

    def cancel(self, pid: int) -> None:
        """Give up the statement of a backend, as a lock timeout does."""


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
        self.backend_pid = 0
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
        self._moving: set[Actor] = set()

    def enter(self, actor: Actor) -> Actor:
        """A new actor waits at his first gate."""
        if actor.name in self.actors:
            raise ValueError(f"there is an actor {actor.name} already")
        self.actors[actor.name] = actor
        return actor

    def run(self, actor: Actor, gates: int) -> None:
        """Let a ready actor pass this many gates, and wait until nobody moves."""
        actor.gates_left = gates
        self._resume(actor)
        self._until_quiet()

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
            self._until_quiet()

    def give_up_waiting(self, actor: Actor) -> None:
        """The lock time-out of a blocked actor strikes."""
        self._locks.cancel(actor.backend_pid)
        actor.state = State.MOVING
        self._moving.add(actor)
        self._until_quiet()

    def abandon(self) -> None:
        """Kill everybody."""
        while self.actors:
            for actor in list(self.actors.values()):
                self.kill(actor)
            self._wake_unblocked()
            self._until_quiet()
            self.forget_done()

    def of_state(self, state: State) -> list[Actor]:
        return [actor for actor in self.actors.values() if actor.state is state]

    def forget_done(self) -> None:
        """Drop the actors that are done, after their threads have ended."""
        for actor in self.of_state(State.DONE):
            if actor.thread is not None:
                actor.thread.join()
            del self.actors[actor.name]

    def _resume(self, actor: Actor) -> None:
        actor.state = State.MOVING
        self._moving.add(actor)
        if actor.thread is None:
            actor.thread = threading.Thread(target=self._play, args=(actor,), name=actor.name, daemon=True)
            actor.thread.start()
        else:
            actor.baton.release()

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

    def gate(self, at: str, state: State = State.READY) -> None:
        """Called by the code of an actor: stop here until the scheduler says to go on."""
        actor = current()
        if actor is None:
            return
        if actor.killed:
            raise Killed
        # Whoever may have freed a lock stops at once, so that he who waited for it moves alone.
        if state is State.READY and actor.gates_left > 1 and len(self._moving) == 1 and not self._anybody_blocked():
            actor.gates_left -= 1
            return
        actor.gates_left = 0
        actor.at = at
        actor.answer = None
        actor.arrives_as = state
        self._arrivals.put(actor)
        actor.baton.acquire()
        if actor.killed:
            raise Killed

    def _anybody_blocked(self) -> bool:
        return any(actor.state is State.BLOCKED for actor in list(self.actors.values()))

    def _until_quiet(self) -> None:
        looks = 0
        all_waited = False
        while self._moving:
            try:
                arrived = self._arrivals.get(timeout=LOOK_AFTER_SECONDS)
            except Empty:
                looks += 1
                if looks > STUCK_AFTER_LOOKS:
                    raise RuntimeError(f"these do not arrive anywhere: {self._moving}") from None
                # Two looks: of those seen in the first, one may just have freed another.
                all_waited, waited_before = self._all_wait_for_locks(), all_waited
                if all_waited and waited_before:
                    self._set_apart()
                continue
            all_waited = False
            self._moving.discard(arrived)
            arrived.state = arrived.arrives_as
            self._wake_unblocked()

    def _all_wait_for_locks(self) -> bool:
        """Whether nobody moves any more, and somebody who stands at a gate is the reason.

        In a deadlock everybody waits for somebody who waits: PostgreSQL ends it, and that is waited for.
        """
        pids = [actor.backend_pid for actor in self._moving]
        if not all(pids):
            return False
        blockers = self._locks.blockers([*pids, *(actor.backend_pid for actor in self.of_state(State.BLOCKED))])
        return all(pid in blockers and not _in_a_circle(pid, blockers) for pid in pids)

    def _set_apart(self) -> None:
        for actor in self._moving:
            actor.state = State.BLOCKED
            actor.gates_left = 0
        self._moving.clear()

    def _wake_unblocked(self) -> None:
        blocked = {actor.backend_pid: actor for actor in self.of_state(State.BLOCKED)}
        if not blocked:
            return
        blockers = self._locks.blockers(blocked)
        for pid, actor in blocked.items():
            if pid not in blockers:
                actor.state = State.MOVING
                self._moving.add(actor)


def _in_a_circle(start: int, blockers: dict[int, set[int]]) -> bool:
    seen: set[int] = set()
    ahead = {start}
    while ahead:
        ahead = {pid for waiting in ahead for pid in blockers.get(waiting, ())} - seen
        if start in ahead:
            return True
        seen |= ahead
    return False
