"""Flows of events: outbox, broker, inbox, acknowledgement, dead letters, and the hash chain."""

from typing import ClassVar, Final

from tests.faults.crash_points.flow import Flow

PUBLISHERS: Final = ("checks", "payments")
#: Seconds after which all open events are due again.
LATER: Final = 100
#: Attempts after which an event is parked (the setting's default).
MAX_ATTEMPTS: Final = 5
_OPEN: Final = "SELECT count(*) FROM outbox WHERE closed_at IS NULL"
_UNSEALED: Final = "SELECT count(*) FROM transfers LEFT JOIN chain_links l USING (transfer_id) WHERE l IS NULL"
_FAILED: Final = "SELECT count(*) * max(attempts) FROM inbox WHERE processed_at IS NULL AND last_error IS NOT NULL"
_PARKED: Final = "SELECT event_id::text FROM dead_letters WHERE resolved_at IS NULL"


class EventsInFlight(Flow):
    """Four events: a payment, and a check accepted, cancelled and expired while balance was down."""

    balances: ClassVar = {"anna": 80_000, "boris": 70_000}

    def prepare(self) -> None:
        self.top_up("anna", 100_000)
        accepted = self.create_check("anna", 20_000)
        cancelled = self.create_check("anna", 15_000)
        self.create_check("anna", 5_000, expiresIn=60)
        self.top_up("boris", 50_000, settled=False)
        self.system.finish("bank-sender")
        self.system.stop("balance")
        self.users.get("boris", "/fastcheck/accept", accepted)
        self.users.get("anna", f"/fastcheck/{cancelled['fastcheck']}/cancel")
        self.system.set_clock_ahead(61)
        self.run_task("checks", "checks.expire_due_checks")
        self.system.restart_dead()

    def arrange(self) -> None:
        self.system.set_clock_ahead(LATER)

    def run_task(self, service: str, task: str) -> None:
        """Run a scheduled task to its end."""
        self.system.start(f"{service}-worker")
        self.system.finish(f"{service}-scheduler", task)
        self.wait(lambda: self.system.value(service, _OPEN) == 3 and self.has_nothing(service), f"{task} is done")
        self.system.stop(f"{service}-worker")

    def has_nothing(self, service: str) -> bool:
        """Return whether the service's worker has no message."""
        return self.system.waiting(service) + self.system.unacknowledged == 0

    def send_all(self) -> None:
        """Send all open events to the broker, as two messages."""
        for service in PUBLISHERS:
            self.system.start(f"{service}-relay")
        self.wait(self.are_sent, "the events are at the broker")
        self.system.stop("checks-relay", "payments-relay")

    def are_sent(self) -> bool:
        return self.system.waiting("balance") == len(PUBLISHERS)

    def are_consumed(self) -> bool:
        """Return whether balance has acknowledged both messages to the broker and to the publishers."""
        acknowledged = all(self.system.waiting(service) > 0 for service in PUBLISHERS)
        return acknowledged and self.has_nothing("balance")


class Relay(EventsInFlight):
    """The relays take what is due, and send it."""

    name = "relay"
    minimum_points: ClassVar = {
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


class Consume(EventsInFlight):
    """The worker of balance takes two messages with four events."""

    name = "consume"
    minimum_points: ClassVar = {"balance-worker commit": 4, "balance-worker publish": 2, "balance-worker broker ack": 2}

    def prepare(self) -> None:
        super().prepare()
        self.system.set_clock_ahead(LATER)
        self.send_all()

    def act(self) -> None:
        self.system.start("balance-worker")

    def is_done(self) -> bool:
        return self.are_consumed()


class Acknowledge(Consume):
    """The workers of the publishers close acknowledged events."""

    name = "acknowledge"
    minimum_points: ClassVar = {"checks-worker commit": 1, "payments-worker commit": 1}

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


class Park(EventsInFlight):
    """A handler fails: the payment event is parked at its last attempt, and its batch is processed.

    The handler is then fixed, and an operator replays the event.
    """

    name = "park a poisonous event"
    minimum_points: ClassVar = {"balance-worker commit": 4, "balance-worker publish": 2}

    def prepare(self) -> None:
        super().prepare()
        for attempt in range(1, MAX_ATTEMPTS):
            self.system.set_clock_ahead(attempt * LATER)
            self._fail_once(attempt)
        self.system.set_clock_ahead(MAX_ATTEMPTS * LATER)
        self.send_all()

    def _fail_once(self, attempt: int) -> None:
        """Send the events to a worker whose handler fails, and drop its acknowledgements."""
        self.send_all()
        self.consume_with_failing_handler()
        self.wait(lambda: self.system.value("balance", _FAILED) == attempt, "the failing event was attempted")
        self.system.stop("balance-worker")
        self.system.broker.flushdb()

    def consume_with_failing_handler(self) -> None:
        self.system.start("balance-worker", changes=("payment handler fails",))

    def arrange(self) -> None:
        self.system.set_clock_ahead(MAX_ATTEMPTS * LATER)

    def act(self) -> None:
        self.consume_with_failing_handler()

    def is_done(self) -> bool:
        return self.are_consumed()

    def finish(self) -> None:
        for (event_id,) in self.system.databases.rows("balance", _PARKED):
            self.system.finish("operator", event_id)


class Replay(Park):
    """The operator's replay dies, and the operator repeats it."""

    name = "replay a parked event"
    minimum_points: ClassVar = {"operator commit": 2}
    needs_an_operator = True

    def prepare(self) -> None:
        super().prepare()
        self.consume_with_failing_handler()
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
    """The hash chain is extended to the latest transfer."""

    name = "seal the chain"
    balances: ClassVar = {"anna": 70_000, "boris": 0}
    minimum_points: ClassVar = {"balance-scheduler publish": 1, "balance-worker commit": 1}

    def prepare(self) -> None:
        self.top_up("anna", 100_000)
        self.create_check("anna", 30_000)  # not sealed yet

    def act(self) -> None:
        self.system.start("balance-worker")
        self.system.start("balance-scheduler", "balance.seal_chain")

    def is_done(self) -> bool:
        unsealed = self.system.value("balance", _UNSEALED)
        return unsealed == 0 and self.system.waiting("balance") + self.system.unacknowledged == 0


FLOWS: Final[tuple[type[Flow], ...]] = (Relay, Consume, Acknowledge, Park, Replay, Seal)
