"""One run: start a system, its clients and the faults, and compare records and books after each round."""

import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from typing import Final

import psycopg2

from launcher import ports
from tests.faults import checker, responses
from tests.faults.books import read, read_bank
from tests.faults.chaos import auditing
from tests.faults.chaos.broker import RabbitMQ
from tests.faults.chaos.databases import Databases
from tests.faults.chaos.faults import Striker
from tests.faults.chaos.injector import Injector
from tests.faults.chaos.options import SETTINGS, Options
from tests.faults.chaos.outcome import Outcome, Round
from tests.faults.chaos.plan import CLOCK_OFFSETS_SECONDS, Fault, Kind, make_plan
from tests.faults.chaos.settling import NOT_MONEY, is_still, unsettled
from tests.faults.chaos.victims import Victims
from tests.faults.chaos.workload import Workload
from tests.support.rabbitmq import running as rabbitmq_running
from tests.support.system import RunningSystem, running

POLL_SECONDS: Final = 0.2
#: Waits continue beyond the allowed time, to measure the delay.
SETTLE_TIMEOUT_SECONDS: Final = 150.0
#: The point of a round at which the system's auditor runs during faults.
AUDIT_AT_SHARE: Final = 0.6

#: The errors that the requests of the workload may get.
EXPECTED_ERRORS: Final = {
    "topup": ("bank_refused",),
    "create": ("insufficient_funds",),
    "accept": ("check_used", "check_expired", "check_cancelled"),
    "code": ("check_used", "check_expired", "check_cancelled"),
    "cancel": ("check_used", "check_expired"),
}

Say = Callable[[str], None]


class Run:
    """The state of one run."""

    def __init__(self, options: Options, system: RunningSystem, say: Say, rabbitmq: RabbitMQ | None = None) -> None:
        self.options = options
        self._say = say
        self._system = system
        self._over = threading.Event()
        self._databases = Databases(system)
        self._victims = Victims(system.data_dir)
        self.workload = Workload(system.gateway_url, clients=options.clients, rate=options.rate, seed=options.seed)
        self.injector = Injector(Striker(system, options.out, self._over, rabbitmq), self._over)
        self.outcome = Outcome(options)

    def go(self) -> Outcome:
        """Execute the rounds until one has violations."""
        began = time.monotonic()
        plan = make_plan(self.options.seed, rounds=self.options.rounds, striking_seconds=self.options.striking_seconds)
        try:
            for faults in plan:
                self._round(faults)
                if not self.outcome.is_clean:
                    break
        finally:
            self._over.set()
            self.workload.stop()
            self._databases.close()
            self.outcome.struck = list(self.injector.struck)
            self.outcome.operations = list(self.workload.operations())
            self.outcome.unanswered = self.workload.unanswered
            self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _round(self, faults: list[Fault]) -> None:
        current = Round(number=faults[0].round_no, began=time.time())
        self.outcome.rounds.append(current)
        if current.number == 1:
            self.workload.start()
        else:
            self.workload.resume()
        auditor = threading.Timer(self.options.striking_seconds * AUDIT_AT_SHARE, self._audit_during_faults, [current])
        auditor.start()
        self.injector.run_round(faults)
        self.workload.pause()
        current.last_fault = max(struck.ended for struck in self.injector.struck)
        self._settle(current)
        auditor.join()
        self._compare(current)
        current.ended = time.time()
        self._say(_summary(current))

    def _settle(self, current: Round) -> None:
        """Wait until all clients are idle and nothing is in progress; record the times."""
        idle = threading.Thread(target=self._note_idle, args=(current,), name="idle")
        idle.start()
        deadline = time.monotonic() + SETTLE_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            current.left = self._unsettled()
            after = time.time() - current.last_fault
            is_moving = any(count for what, count in current.left.items() if what != NOT_MONEY)
            if is_moving:
                current.money_settled = None
            elif current.money_settled is None:
                current.money_settled = after
            if not any(current.left.values()) and not idle.is_alive():
                current.settled = after
                break
            time.sleep(POLL_SECONDS)
        idle.join()
        if current.finished is None:
            self._violation(current, "some clients did not finish their operations")
        limit = self.options.settle_seconds
        if current.settled is None or current.settled > limit:
            took = "not at all" if current.settled is None else f"after {current.settled:.1f} s"
            self._violation(
                current,
                f"settled {took} and not within {limit:g} s of the last fault; the last client finished after"
                f" {current.finished} s; left: {current.left}",
            )

    def _note_idle(self, current: Round) -> None:
        self.workload.wait_until_idle()
        current.finished = round(time.time() - current.last_fault, 2)

    def _unsettled(self) -> dict[str, int]:
        try:
            return unsettled(self._databases)
        except psycopg2.Error:
            return {"PostgreSQL is away": 1}

    def _compare(self, current: Round) -> None:
        """Compare the record of the clients with the books, after settling."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_SECONDS
        while not self._victims.all_run():
            if time.monotonic() > deadline:
                self._violation(current, "some killed processes are not restarted")
                break
            time.sleep(POLL_SECONDS)
        self._databases.close()  # connections may date from before a restart of the server
        # A check that expires while the databases are read one by one would look like a violation.
        while not is_still(self._databases) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        record = self.workload.record()
        record.write(self.options.out / "record.jsonl")
        books, bank = read(self._databases.rows), read_bank(self._databases.rows)
        self.outcome.violations += checker.violations(books, bank, self._clock_ahead)
        self.outcome.violations += responses.violations(books, bank, record)
        self.outcome.violations += responses.errors_are_expected(record, EXPECTED_ERRORS)
        for user in self._databases.ids("accounts", "SELECT user_id FROM users") - record.users:
            self._violation(current, f"user {user} is unknown to the clients")
        for failure in self.injector.failures:
            self._violation(current, f"faults are not injected as planned: {failure}")
        current.compared = {"checks": len(books.checks), "top-ups": len(books.topups), "entries": len(books.entries)}
        found = auditing.audit(self._system.data_dir)
        if found is None:
            self._violation(current, "the auditor could not read the books")
        self.outcome.violations += found or []

    def _audit_during_faults(self, current: Round) -> None:
        found = auditing.audit(self._system.data_dir)
        current.audit_during_faults = None if found is None else not found
        self.outcome.violations += [f"during faults: {finding}" for finding in found or []]

    def _clock_ahead(self, at: datetime) -> float:
        """Return how many seconds the clock of a sweep was ahead at an instant."""
        clocks = (each for each in self.injector.struck if each.fault.kind is Kind.CLOCK)
        offsets = (
            CLOCK_OFFSETS_SECONDS[each.fault.choice % len(CLOCK_OFFSETS_SECONDS)]
            for each in clocks
            if each.began <= at.timestamp() <= each.ended
        )
        return max(offsets, default=0)

    def _violation(self, current: Round, sentence: str) -> None:
        self.outcome.violations.append(f"round {current.number}: {sentence}")


def _summary(current: Round) -> str:
    settled = "not settled" if current.settled is None else f"settled {current.settled:.1f} s after the last fault"
    under_fire = {True: "clean", False: "NOT clean", None: "not readable"}[current.audit_during_faults]
    compared = ", ".join(f"{count} {what}" for what, count in current.compared.items())
    return f"round {current.number}: {settled}; audit during faults {under_fire}; compared {compared}"


def _shuffled(numbers: range, seed: int) -> list[int]:
    return random.Random(f"{seed}/{os.getpid()}").sample(numbers, len(numbers))


def run(options: Options, say: Say) -> Outcome:
    """Start a system, execute a run, and stop it.

    The data of the system remains in ``options.out`` after violations or on request.
    """
    if options.out.exists():
        shutil.rmtree(options.out)
    options.out.mkdir(parents=True)
    data_dir = options.out / "system"
    say("Starting the system.")
    # Not the default port: another system could take it while this gateway is down.
    port = next(port for port in _shuffled(ports.RANGE, options.seed) if ports.is_free(port))
    with ExitStack() as stack:
        rabbitmq = RabbitMQ(stack.enter_context(rabbitmq_running())) if options.on_rabbitmq else None
        settings = {**SETTINGS, **({"FASTCHECK_BROKER_URL": rabbitmq.url} if rabbitmq else {})}
        arguments = ("--port", str(port), "--replicas", str(options.replicas))
        system = stack.enter_context(running(data_dir, settings, *arguments))
        outcome = Run(options, system, say, rabbitmq).go()
    if outcome.is_clean and not options.keep:
        shutil.rmtree(data_dir)
    return outcome
