"""The world of one seed: what happens when a move is made.

Names tell where things come from. ``c3`` is a wish; ``c3/1`` the first request that it makes; ``c3/1!1`` the server's
work on the first arrival of it; ``c3/1!1/1`` what that asks of another service; ``c3/1!1=`` the answer to it.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from tests.faults.simulation.actors import Actor, Killed, Stage, State
from tests.faults.simulation.bank import SimulatedBank
from tests.faults.simulation.calm import calm
from tests.faults.simulation.clients import Clients
from tests.faults.simulation.clock import SimulatedClock
from tests.faults.simulation.databases import SimulatedDatabases
from tests.faults.simulation.failures import GATES
from tests.faults.simulation.gates import put_gates
from tests.faults.simulation.moves import Move
from tests.faults.simulation.network import Answer, Letter, Message, Network, Request, Wire
from tests.faults.simulation.recording import Recording
from tests.faults.simulation.services import SimulatedServices


class World:
    """Everything that a seed plays with; built once per worker, as new after :meth:`reset`."""

    def __init__(self, databases: SimulatedDatabases) -> None:
        self.databases = databases
        self.clock = SimulatedClock(databases)
        self.network = Network()
        self.bank = SimulatedBank(self.clock.now)
        self.stage = Stage(databases)
        self.wire = Wire(self.network, self.stage)
        self.services = SimulatedServices(databases, self.clock, lambda: self.wire)
        self.clients = Clients(self.services)
        #: What nobody may ever see: a 500, or an exception that leaves a task.
        self.bugs: list[str] = []
        #: If somebody wants to know everything.
        self.recording: Recording | None = None
        self._seed: object = 0
        for context in (self.services.balance, self.services.checks, self.services.payments):
            put_gates(context.db, lambda: self.stage)

    def reset(self, seed: object) -> None:
        """As on the first day."""
        self._seed = seed
        self.stage.abandon()
        self.databases.reset()
        self.clock.reset()
        self.network.reset()
        self.bank.reset()
        self.clients.reset()
        self.services.reset()
        self.bugs.clear()

    def apply(self, move: Move) -> bool:
        """Make one move; False, and nothing has happened, where it does not fit."""
        done: bool = getattr(self, f"_{move.verb}")(move)
        for actor in self.stage.of_state(State.DONE):
            self._end(actor)
        self.stage.forget_done()
        if done and self.recording is not None:
            self.recording.move(move, self)
        return done

    # -- users and the payer

    def _ask(self, move: Move) -> bool:
        assert move.wish is not None
        asked = self.clients.utter(move.subject, move.wish)
        if asked is None or move.subject in self.stage.actors:
            return False
        name, patience = move.subject, move.wish.patience
        owner = move.wish.of if move.wish.kind == "again" else name
        self._enter(name, "client", lambda: self.clients.ask(self.wire, owner, asked, patience))
        return True

    def _pay(self, move: Move) -> bool:
        page = self.clients.page_of(move.subject)
        if page is None:
            return False
        for body in self.bank.pay(page, declined=bool(move.detail)):
            self._post_to_webhook(move.subject, body)
        return True

    def _notify(self, move: Move) -> bool:
        """The bank repeats itself, or somebody speaks in its name."""
        page = self.clients.page_of(move.subject)
        if page is None:
            return False
        payment = self.bank.payment_of(page)
        wrong_amount = payment.amount + 1 if move.detail == "wrong amount" else None
        told = payment.status if move.detail == "repeat" else "CONFIRMED"
        body = self.bank.notification(payment, told, amount=wrong_amount, forged=move.detail == "forged")
        self._post_to_webhook(move.subject, body)
        return True

    def _post_to_webhook(self, wish: str, body: bytes) -> None:
        headers = {
            "Authorization": self.services.token_for("payments", None),
            "Content-Type": "application/json",
            "X-Client-Address": "192.0.2.1",
        }
        name = self.network.numbered(f"bank:{wish}/")
        self.network.put(Request(name, None, "payments", "POST", "/bank/webhook/tbank", headers, body))

    # -- what is under way

    def _deliver(self, move: Move) -> bool:
        letter = self.network.take(move.subject)
        if isinstance(letter, Answer):
            self._hand_over(letter)
        elif isinstance(letter, Message):
            self._consume(letter)
        elif isinstance(letter, Request):
            self._receive(letter)
        return letter is not None

    def _receive(self, request: Request) -> None:
        if request.to == "bank":
            content = self.bank.answer(request.target, request.body)
            self.network.put(Answer(f"{request.name}=", request, content))
            return
        self._enter(
            self.network.numbered(f"{request.name}!"),
            f"{request.to}-web",
            lambda: self.services.serve(request),
            request,
        )

    def _consume(self, message: Message) -> None:
        function = self.services.consumers.tasks[message.task]
        arguments = json.loads(message.arguments)
        process = f"{message.queue.split('.')[0]}-worker"
        self._enter(self.network.numbered(f"{message.name}!"), process, lambda: function(*arguments), message)

    def _hand_over(self, answer: Answer) -> None:
        caller = self.stage.actors.get(answer.request.caller or "")
        if caller is not None and caller.state is State.WAITING and caller.waits_for == answer.request.name:
            self.stage.answer(caller, answer.content)

    def _copy(self, move: Move) -> bool:
        return self.network.copy(move.subject)

    def _lose(self, move: Move) -> bool:
        return self.network.take(move.subject) is not None

    # -- actors

    def _run(self, move: Move) -> bool:
        actor = self.stage.actors.get(move.subject)
        if actor is None or actor.state is not State.READY:
            return False
        self.stage.run(actor, move.number)
        return True

    def _go(self, move: Move) -> bool:
        return calm(self, move.subject)

    def _time_out(self, move: Move) -> bool:
        actor = self.stage.actors.get(move.subject)
        if actor is None or actor.state is not State.WAITING:
            return False
        self.stage.answer(actor, None)
        return True

    def _give_up(self, move: Move) -> bool:
        actor = self.stage.actors.get(move.subject)
        if actor is None or actor.state is not State.BLOCKED:
            return False
        self.stage.give_up_waiting(actor)
        return True

    def _fail(self, move: Move) -> bool:
        actor = self.stage.actors.get(move.subject)
        if actor is None or actor.state is not State.READY or actor.at not in GATES:
            return False
        self.stage.fail(actor, move.detail)
        return True

    def _crash(self, move: Move) -> bool:
        self.services.forget(move.subject)
        for actor in list(self.stage.actors.values()):
            if actor.process == move.subject:
                self.stage.kill(actor)
        return True

    def _nudge(self, move: Move) -> bool:
        if move.subject in self.stage.actors:
            return False
        process, work = self.services.nudges[move.detail]
        self._enter(move.subject, process, work)
        return True

    def _enter(self, name: str, process: str, work: Callable[[], Any], letter: Letter | None = None) -> None:
        actor = Actor(name, process, work, seed=self._seed)
        actor.letter = letter
        self.stage.enter(actor)

    def _end(self, actor: Actor) -> None:
        """An actor is done: his answer, if he owes one, goes on its way."""
        letter: Letter | None = actor.letter
        if isinstance(letter, Request):
            self.network.put(Answer(f"{actor.name}=", letter, actor.result if actor.error is None else None))
            if actor.error is None and actor.result.status == 500:
                self.bugs.append(f"{actor.name}: {letter} was answered with 500")
        elif isinstance(letter, Message) and isinstance(actor.error, Killed):
            # The broker hands out again what a dead worker has not acknowledged.
            self.network.put(replace(letter, name=self.network.numbered(f"{letter.name}~")))
        if actor.error is not None and not isinstance(actor.error, Killed) and not _is_transient(actor.error):
            self.bugs.append(f"{actor.name} ended with {actor.error!r}")

    # -- surroundings

    def _wait(self, move: Move) -> bool:
        self.clock.advance(move.number)
        return True

    def _wipe_broker(self, _move: Move) -> bool:
        self.network.wipe_broker()
        return True

    def _broker_down(self, _move: Move) -> bool:
        self.network.broker_is_up = False
        return True

    def _broker_up(self, _move: Move) -> bool:
        self.network.broker_is_up = True
        return True

    def serves(self, caller: Actor) -> bool:
        """Whether somebody works on what this actor waits for."""
        letters = (actor.letter for actor in self.stage.actors.values())
        return any(isinstance(letter, Request) and letter.name == caller.waits_for for letter in letters)

    def in_state(self, *states: State) -> Iterable[Actor]:
        """The actors in these states, by name."""
        return sorted((a for a in self.stage.actors.values() if a.state in states), key=lambda actor: actor.name)


def _is_transient(error: BaseException) -> bool:
    """What a process of the bus survives: the broker or a lock was not to be had, and it looks again later."""
    return type(error).__name__ in ("OperationalError", "QueryCanceled")
