"""The simulated system: applies moves.

Names state the origin. ``c3`` is a spec; ``c3/1`` its first request; ``c3/1!1`` the server's work on the first arrival
of that request; ``c3/1!1/1`` a call of that work to another service; ``c3/1!1=`` the response.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from tests.faults.simulation.actors import Actor, Killed, Scheduler, State
from tests.faults.simulation.bank import SimulatedBank
from tests.faults.simulation.clients import Clients
from tests.faults.simulation.clock import SimulatedClock
from tests.faults.simulation.databases import SimulatedDatabases
from tests.faults.simulation.failures import GATES
from tests.faults.simulation.gates import put_gates
from tests.faults.simulation.moves import Move
from tests.faults.simulation.network import Answer, Message, Network, Packet, Request, Wire
from tests.faults.simulation.quiescence import quiesce
from tests.faults.simulation.recording import Recording
from tests.faults.simulation.services import SimulatedServices


class SimulatedSystem:
    """All components of a simulation. Built once per worker; :meth:`reset` restores the initial state."""

    def __init__(self, databases: SimulatedDatabases) -> None:
        self.databases = databases
        self.clock = SimulatedClock(databases)
        self.network = Network()
        self.bank = SimulatedBank(self.clock.now)
        self.scheduler = Scheduler(databases)
        self.wire = Wire(self.network, self.scheduler)
        self.services = SimulatedServices(databases, self.clock, lambda: self.wire)
        self.clients = Clients(self.services)
        #: Responses with status 500, and exceptions that leave a task.
        self.errors: list[str] = []
        #: The recording, if the run is recorded.
        self.recording: Recording | None = None
        self._seed: object = 0
        for context in (self.services.balance, self.services.checks, self.services.payments):
            put_gates(context.db, lambda: self.scheduler)

    def reset(self, seed: object) -> None:
        """Restore the initial state."""
        self._seed = seed
        self.scheduler.abandon()
        self.databases.reset()
        self.clock.reset()
        self.network.reset()
        self.bank.reset()
        self.clients.reset()
        self.services.reset()
        self.errors.clear()

    def apply(self, move: Move) -> bool:
        """Apply one move; return False, without an effect, if it does not fit."""
        done: bool = getattr(self, f"_{move.verb}")(move)
        for actor in self.scheduler.of_state(State.DONE):
            self._end(actor)
        self.scheduler.forget_done()
        if done and self.recording is not None:
            self.recording.move(move, self)
        return done

    # -- users and the payer

    def _ask(self, move: Move) -> bool:
        assert move.spec is not None
        asked = self.clients.start(move.subject, move.spec)
        if asked is None or move.subject in self.scheduler.actors:
            return False
        retries = move.spec.retries
        self._enter(move.subject, "client", lambda: self.clients.ask(self.wire, asked, retries))
        return True

    def _pay(self, move: Move) -> bool:
        page = self.clients.page_of(move.subject)
        if page is None:
            return False
        if not move.detail:
            self.clients.visit(self.clients.asked[move.subject])
        for body in self.bank.pay(page, declined=bool(move.detail)):
            self._post_to_webhook(move.subject, body)
        return True

    def _notify(self, move: Move) -> bool:
        """Send a repeated, wrong or forged notification."""
        page = self.clients.page_of(move.subject)
        if page is None:
            return False
        payment = self.bank.payment_of(page)
        wrong_amount = payment.amount + 1 if move.detail == "wrong amount" else None
        response = payment.status if move.detail == "repeat" else "CONFIRMED"
        body = self.bank.notification(payment, response, amount=wrong_amount, forged=move.detail == "forged")
        self._post_to_webhook(move.subject, body)
        return True

    def _post_to_webhook(self, spec: str, body: bytes) -> None:
        headers = {
            "Authorization": self.services.token_for("payments", None),
            "Content-Type": "application/json",
            "X-Client-Address": "192.0.2.1",
        }
        name = self.network.numbered(f"bank:{spec}/")
        self.network.put(Request(name, None, "payments", "POST", "/bank/webhook/tbank", headers, body))

    # -- packets in flight

    def _deliver(self, move: Move) -> bool:
        packet = self.network.take(move.subject)
        if isinstance(packet, Answer):
            self._hand_over(packet)
        elif isinstance(packet, Message):
            self._consume(packet)
        elif isinstance(packet, Request):
            self._receive(packet)
        return packet is not None

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
        caller = self.scheduler.actors.get(answer.request.caller or "")
        if caller is not None and caller.state is State.WAITING and caller.waits_for == answer.request.name:
            self.scheduler.answer(caller, answer.content)

    def _copy(self, move: Move) -> bool:
        return self.network.copy(move.subject)

    def _lose(self, move: Move) -> bool:
        return self.network.take(move.subject) is not None

    # -- actors

    def _run(self, move: Move) -> bool:
        actor = self.scheduler.actors.get(move.subject)
        if actor is None or actor.state is not State.READY:
            return False
        self.scheduler.run(actor, move.number)
        return True

    def _go(self, move: Move) -> bool:
        return quiesce(self, move.subject)

    def _time_out(self, move: Move) -> bool:
        actor = self.scheduler.actors.get(move.subject)
        if actor is None or actor.state is not State.WAITING:
            return False
        self.scheduler.answer(actor, None)
        return True

    def _give_up(self, move: Move) -> bool:
        actor = self.scheduler.actors.get(move.subject)
        if actor is None or actor.state is not State.BLOCKED:
            return False
        self.scheduler.give_up_waiting(actor)
        return True

    def _fail(self, move: Move) -> bool:
        actor = self.scheduler.actors.get(move.subject)
        if actor is None or actor.state is not State.READY or actor.at not in GATES:
            return False
        self.scheduler.fail(actor, move.detail)
        return True

    def _crash(self, move: Move) -> bool:
        self.services.forget(move.subject)
        for actor in list(self.scheduler.actors.values()):
            if actor.process == move.subject:
                self.scheduler.kill(actor)
        return True

    def _tick(self, move: Move) -> bool:
        if move.subject in self.scheduler.actors:
            return False
        process, work = self.services.ticks[move.detail]
        self._enter(move.subject, process, work)
        return True

    def _enter(self, name: str, process: str, work: Callable[[], Any], packet: Packet | None = None) -> None:
        actor = Actor(name, process, work, seed=self._seed)
        actor.packet = packet
        self.scheduler.enter(actor)

    def _end(self, actor: Actor) -> None:
        """Send the response of an actor that is done, or return its message to the broker."""
        packet: Packet | None = actor.packet
        if isinstance(packet, Request):
            self.network.put(Answer(f"{actor.name}=", packet, actor.result if actor.error is None else None))
            if actor.error is None and actor.result.status == 500:
                self.errors.append(f"{actor.name}: {packet} was answered with 500")
        elif isinstance(packet, Message) and isinstance(actor.error, Killed):
            # The broker delivers again what a dead worker has not acknowledged.
            self.network.put(replace(packet, name=self.network.numbered(f"{packet.name}~")))
        if actor.error is not None and not isinstance(actor.error, Killed) and not _is_transient(actor.error):
            self.errors.append(f"{actor.name} ended with {actor.error!r}")

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
        """Return whether an actor serves the request that this actor waits for."""
        packets = (actor.packet for actor in self.scheduler.actors.values())
        return any(isinstance(packet, Request) and packet.name == caller.waits_for for packet in packets)

    def in_state(self, *states: State) -> Iterable[Actor]:
        """Return the actors in these states, ordered by name."""
        return sorted((a for a in self.scheduler.actors.values() if a.state in states), key=lambda actor: actor.name)


def _is_transient(error: BaseException) -> bool:
    """Return whether a bus process survives the error: the broker or a lock is unavailable, and it retries later."""
    return type(error).__name__ in ("OperationalError", "QueryCanceled")
