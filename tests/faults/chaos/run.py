"""One run: start a system, its clients and the faults, and compare records and books after each round."""

import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import psycopg2

from launcher import ports
from tests.faults.chaos import auditing, journal
from tests.faults.chaos.books import read_books
from tests.faults.chaos.broker import RabbitMQ
from tests.faults.chaos.checker import check
from tests.faults.chaos.databases import Databases
from tests.faults.chaos.faults import Striker
from tests.faults.chaos.injector import Injector
from tests.faults.chaos.options import SETTINGS, Options
from tests.faults.chaos.outcome import Outcome, Round
from tests.faults.chaos.plan import CLOCK_OFFSETS_SECONDS, Fault, Kind, make_plan
from tests.faults.chaos.record import read_record
from tests.faults.chaos.sampler import Sampler
from tests.faults.chaos.settling import NOT_MONEY, is_still, unsettled
from tests.faults.chaos.victims import Victims
from tests.faults.chaos.violation import Violation
from tests.faults.chaos.workload import Workload
from tests.support.rabbitmq import running as rabbitmq_running
from tests.support.system import RunningSystem, running

POLL_SECONDS: Final = 0.2
#: Waits continue beyond the allowed time, to measure the delay.
SETTLE_TIMEOUT_SECONDS: Final = 150.0
#: The point of a round at which the system's auditor runs during faults.
AUDIT_AT_SHARE: Final = 0.6

Say = Callable[[str], None]


class Run:
    """The state of one run; the screen reads it during :meth:`go`."""

    def __init__(self, options: Options, system: RunningSystem, say: Say, rabbitmq: RabbitMQ | None = None) -> None:
        self.options = options
        self.phase = "users register"
        self._say = say
        self._system = system
        self._over = threading.Event()
        out = options.out
        self._faults_journal = journal.Journal(out / "faults.jsonl")
        self._samples_journal = journal.Journal(out / "samples.jsonl")
        self._journals = out / "journals"
        self._databases = Databases(system)
        self._victims = Victims(system.data_dir)
        self.workload = Workload(
            system.gateway_url, self._journals, clients=options.clients, rate=options.rate, seed=options.seed
        )
        self.injector = Injector(Striker(system, out, self._over, rabbitmq), self._faults_journal, self._over)
        self.sampler = Sampler(system, self._samples_journal)
        self.outcome = Outcome(options, self.workload.tally)

    def go(self) -> Outcome:
        """Execute the rounds until one has violations."""
        began = time.monotonic()
        plan = make_plan(self.options.seed, rounds=self.options.rounds, striking_seconds=self.options.striking_seconds)
        self.sampler.start()
        try:
            for faults in plan:
                self._round(faults)
                if not self.outcome.is_clean:
                    break
        finally:
            self._over.set()
            self.workload.stop()
            self.sampler.stop()
            self._databases.close()
            self._faults_journal.close()
            self._samples_journal.close()
            self.outcome.struck = list(self.injector.struck)
            self.outcome.samples = self.sampler.samples
            self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _round(self, faults: list[Fault]) -> None:
        current = Round(number=faults[0].round_no, began=time.time())
        self.outcome.rounds.append(current)
        self.phase = f"round {current.number} of {self.options.rounds}: faults strike"
        if current.number == 1:
            self.workload.start()
        else:
            self.workload.resume()
        auditor = threading.Timer(self.options.striking_seconds * AUDIT_AT_SHARE, self._audit_during_faults, [current])
        auditor.start()
        self.injector.run_round(faults)
        self.workload.pause()
        current.last_fault = max(struck.ended for struck in self.injector.struck)
        self.phase = f"round {current.number}: settling"
        self._settle(current)
        auditor.join()
        self.phase = f"round {current.number}: comparing"
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
            self._violation("every client finishes its operations", f"round {current.number}", "some did not")
        limit = self.options.settle_seconds
        if current.settled is None or current.settled > limit:
            took = "not at all" if current.settled is None else f"after {current.settled:.1f} s"
            self._violation(
                f"everything is settled within {limit:g} seconds of the last fault",
                f"round {current.number}",
                f"settled {took}; the last client finished after {current.finished} s; left: {current.left}",
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
        """Compare journals and books after settling."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_SECONDS
        while not self._victims.all_run():
            if time.monotonic() > deadline:
                self._violation("every killed process is restarted", f"round {current.number}", "some do not run")
                break
            time.sleep(POLL_SECONDS)
        self._databases.close()  # connections may date from before a restart of the server
        # A check that expires while the databases are read one by one would look like a violation.
        while not is_still(self._databases) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        self.workload.read_balances()
        books = read_books(self._databases)
        record = read_record(journal.read(self._journals))
        self.outcome.violations += check(books, record, self._clocks())
        for failure in self.injector.failures:
            self._violation("faults are injected as planned", f"round {current.number}", failure)
        current.compared = {"checks": len(books.checks), "top-ups": len(books.topups), "entries": len(books.entries)}
        found = auditing.audit(self._system.data_dir)
        if found is None:
            self._violation("the auditor can read the books", f"round {current.number}", "it failed")
        self.outcome.violations += found or []

    def _audit_during_faults(self, current: Round) -> None:
        found = auditing.audit(self._system.data_dir)
        current.audit_during_faults = None if found is None else not found
        self.outcome.violations += [Violation(f"{v.rule} (during faults)", v.subject, v.message) for v in found or []]

    def _clocks(self) -> list[tuple[float, float, float]]:
        return [
            (struck.began, struck.ended, float(CLOCK_OFFSETS_SECONDS[struck.fault.choice % len(CLOCK_OFFSETS_SECONDS)]))
            for struck in self.injector.struck
            if struck.fault.kind is Kind.CLOCK
        ]

    def _violation(self, rule: str, subject: str, message: str) -> None:
        self.outcome.violations.append(Violation(rule, subject, message))


def _summary(current: Round) -> str:
    settled = "not settled" if current.settled is None else f"settled {current.settled:.1f} s after the last fault"
    under_fire = {True: "clean", False: "NOT clean", None: "not readable"}[current.audit_during_faults]
    compared = ", ".join(f"{count} {what}" for what, count in current.compared.items())
    return f"round {current.number}: {settled}; audit during faults {under_fire}; compared {compared}"


def _shuffled(numbers: range, seed: int) -> list[int]:
    return random.Random(f"{seed}/{os.getpid()}").sample(numbers, len(numbers))


def run(options: Options, say: Say, watched: Callable[[Run], None] = lambda _: None) -> Outcome:
    """Start a system, execute a run, and stop it. ``watched`` is called with the run before it begins.

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
        one = Run(options, system, say, rabbitmq)
        watched(one)
        outcome = one.go()
    if outcome.is_clean and not options.keep:
        shutil.rmtree(data_dir)
    return outcome
