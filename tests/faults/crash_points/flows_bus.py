"""The way of an event: out of the outbox, over the broker, into the inbox, back as an acknowledgement, or aside."""

from typing import ClassVar, Final

from tests.faults.crash_points.flow import Flow

PUBLISHERS: Final = ("checks", "payments")
#: So many seconds later everything that is open is due again.
LATER: Final = 100
#: At so many tries an event is parked (the setting's default).
TRIES: Final = 5
_OPEN: Final = "SELECT count(*) FROM outbox WHERE closed_at IS NULL"
_UNSEALED: Final = "SELECT count(*) FROM transfers LEFT JOIN chain_links l USING (transfer_id) WHERE l IS NULL"
_FAILED: Final = "SELECT count(*) * max(attempts) FROM inbox WHERE processed_at IS NULL AND last_error IS NOT NULL"
_PARKED: Final = "SELECT event_id::text FROM dead_letters WHERE resolved_at IS NULL"


class OnItsWay(Flow):
    """Four events: a payment, and a check accepted, cancelled and expired while balance was down."""

    balances: ClassVar = {"anna": 80_000, "boris": 70_000}

    def prepare(self) -> None:
        self.top_up("anna", 100_000)
        accepted = self.write_check("anna", 20_000)
        cancelled = self.write_check("anna", 15_000)
        self.write_check("anna", 5_000, expiresIn=60)
        self.top_up("boris", 50_000, settled=False)
        self.system.finish("bank-sender")
        self.system.stop("balance")
        self.people.get("boris", "/fastcheck/accept", accepted)
        self.people.get("anna", f"/fastcheck/{cancelled['fastcheck']}/cancel")
        self.system.leap(61)
        self.run_task("checks", "checks.expire_due_checks")
        self.system.revive()

    def arrange(self) -> None:
        self.system.leap(LATER)

    def run_task(self, service: str, task: str) -> None:
        """What the schedule calls, to its end."""
        self.system.start(f"{service}-worker")
        self.system.finish(f"{service}-scheduler", task)
        self.wait(lambda: self.system.value(service, _OPEN) == 3 and self.has_nothing(service), f"{task} is done")
        self.system.stop(f"{service}-worker")

    def has_nothing(self, service: str) -> bool:
        """Its worker is at nothing, and nothing waits for it."""
        return self.system.waiting(service) + self.system.unacknowledged == 0

    def send_all(self) -> None:
        """All open events lie with the broker, as two messages."""
        for service in PUBLISHERS:
            self.system.start(f"{service}-relay")
        self.wait(self.are_sent, "the events lie with the broker")
        self.system.stop("checks-relay", "payments-relay")

    def are_sent(self) -> bool:
        return self.system.waiting("balance") == len(PUBLISHERS)

    def are_consumed(self) -> bool:
        """Balance has let go of both messages, and each publisher is told."""
        told = all(self.system.waiting(service) > 0 for service in PUBLISHERS)
        return told and self.has_nothing("balance")


class Relay(OnItsWay):
    """The relays take what is due, and send it."""

    name = "relay"
    least: ClassVar = {
        "checks-relay commit": 1,
        "checks-relay publish": 1,
        "payments-relay commit": 1,
        "payments-relay publish": 1,
    }

    def act(self) -> None:
        for service in PUBLISHERS:
            self.system.start(f"{service}-relay")

    def is_done(self) -> bool:
        return self.are_sent()


class Consume(OnItsWay):
    """The worker of balance takes two messages with four events."""

    name = "consume"
    least: ClassVar = {"balance-worker commit": 4, "balance-worker publish": 2, "balance-worker broker ack": 2}

    def prepare(self) -> None:
        super().prepare()
        self.system.leap(LATER)
        self.send_all()

    def act(self) -> None:
        self.system.start("balance-worker")

    def is_done(self) -> bool:
        return self.are_consumed()


class Acknowledge(Consume):
    """The workers of the publishers close what balance has done."""

    name = "acknowledge"
    least: ClassVar = {"checks-worker commit": 1, "payments-worker commit": 1}

    def prepare(self) -> None:
        super().prepare()
        self.system.start("balance-worker")
        self.wait(self.are_consumed, "the events are consumed")
        self.system.stop("balance-worker")

    def act(self) -> None:
        for service in PUBLISHERS:
            self.system.start(f"{service}-worker")

    def is_done(self) -> bool:
        open_events = sum(self.system.value(service, _OPEN) for service in PUBLISHERS)
        return open_events == 0 and all(map(self.has_nothing, PUBLISHERS))


class Park(OnItsWay):
    """A mistake in a handler: the payment is parked at its last try, and what came with it is not held up.

    The mistake is mended, and an operator replays the event.
    """

    name = "park a poisonous event"
    least: ClassVar = {"balance-worker commit": 4, "balance-worker publish": 2}

    def prepare(self) -> None:
        super().prepare()
        for attempt in range(1, TRIES):
            self.system.leap(attempt * LATER)
            self._try(attempt)
        self.system.leap(TRIES * LATER)
        self.send_all()

    def _try(self, attempt: int) -> None:
        """The events are sent and consumed once more by a worker with the mistake; what it says stays unheard."""
        self.send_all()
        self.consume_badly()
        self.wait(lambda: self.system.value("balance", _FAILED) == attempt, "the poisonous event was tried")
        self.system.stop("balance-worker")
        self.system.broker.flushdb()

    def consume_badly(self) -> None:
        self.system.start("balance-worker", changes=("payment handler fails",))

    def arrange(self) -> None:
        self.system.leap(TRIES * LATER)

    def act(self) -> None:
        self.consume_badly()

    def is_done(self) -> bool:
        return self.are_consumed()

    def finish(self) -> None:
        for (event_id,) in self.system.databases.rows("balance", _PARKED):
            self.system.finish("operator", event_id)


class Replay(Park):
    """The operator's replay dies, and he does it again."""

    name = "replay a parked event"
    least: ClassVar = {"operator commit": 2}
    waits_for_a_person = True

    def prepare(self) -> None:
        super().prepare()
        self.consume_badly()
        self.wait(self.are_consumed, "the event is parked")
        self.system.stop("balance-worker")
        self.event_id = str(self.system.value("balance", _PARKED))

    def act(self) -> None:
        self.system.start("operator", self.event_id)

    def is_done(self) -> bool:
        return self.system.status_of("operator", within=0) == 0

    def finish(self) -> None:
        taken = "SELECT count(*) FROM inbox WHERE event_id = %s AND processed_at IS NOT NULL"
        if not self.system.value("balance", taken, self.event_id):
            self.system.finish("operator", self.event_id)


class Seal(Flow):
    """The chain of hashes is led up to the present."""

    name = "seal the chain"
    balances: ClassVar = {"anna": 70_000, "boris": 0}
    least: ClassVar = {"balance-scheduler publish": 1, "balance-worker commit": 1}

    def prepare(self) -> None:
        self.top_up("anna", 100_000)
        self.write_check("anna", 30_000)  # not sealed yet

    def act(self) -> None:
        self.system.start("balance-worker")
        self.system.start("balance-scheduler", "balance.seal_chain")

    def is_done(self) -> bool:
        unsealed = self.system.value("balance", _UNSEALED)
        return unsealed == 0 and self.system.waiting("balance") + self.system.unacknowledged == 0


FLOWS: Final[tuple[type[Flow], ...]] = (Relay, Consume, Acknowledge, Park, Replay, Seal)
