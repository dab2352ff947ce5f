"""One run: a system of its own, its clients, the faults, and after each round the reckoning."""

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
from tests.faults.chaos.crowd import Crowd
from tests.faults.chaos.databases import Databases
from tests.faults.chaos.faults import Striker
from tests.faults.chaos.injector import Injector
from tests.faults.chaos.options import SETTINGS, Options
from tests.faults.chaos.outcome import Outcome, Round
from tests.faults.chaos.plan import CLOCK_OFFSETS_SECONDS, Fault, Kind, make_plan
from tests.faults.chaos.record import read_record
from tests.faults.chaos.settling import NOT_MONEY, is_still, unsettled
from tests.faults.chaos.victims import Victims
from tests.faults.chaos.violation import Violation
from tests.faults.chaos.watch import Watch
from tests.support.rabbitmq import running as rabbitmq_running
from tests.support.system import RunningSystem, running

LOOK_EVERY_SECONDS: Final = 0.2
#: What is late is waited for all the same, to tell how late.
PATIENCE_SECONDS: Final = 150.0
#: Where in a round the system's own auditor is asked, under fire.
AUDIT_AT_SHARE: Final = 0.6

Say = Callable[[str], None]


class Run:
    """Everything of one run; the screen looks in while :meth:`go` is at work."""

    def __init__(self, options: Options, system: RunningSystem, say: Say, rabbitmq: RabbitMQ | None = None) -> None:
        self.options = options
        self.phase = "people sign up"
        self._say = say
        self._system = system
        self._over = threading.Event()
        out = options.out
        self._faults_journal = journal.Journal(out / "faults.jsonl")
        self._samples_journal = journal.Journal(out / "samples.jsonl")
        self._journals = out / "journals"
        self._databases = Databases(system)
        self._victims = Victims(system.data_dir)
        self.crowd = Crowd(
            system.gateway_url, self._journals, clients=options.clients, rate=options.rate, seed=options.seed
        )
        self.injector = Injector(Striker(system, out, self._over, rabbitmq), self._faults_journal, self._over)
        self.watch = Watch(system, self._samples_journal)
        self.outcome = Outcome(options, self.crowd.tally)

    def go(self) -> Outcome:
        """All rounds, or as many as are clean."""
        began = time.monotonic()
        plan = make_plan(self.options.seed, rounds=self.options.rounds, striking_seconds=self.options.striking_seconds)
        self.watch.start()
        try:
            for faults in plan:
                self._round(faults)
                if not self.outcome.is_clean:
                    break
        finally:
            self._over.set()
            self.crowd.end()
            self.watch.stop()
            self._databases.close()
            self._faults_journal.close()
            self._samples_journal.close()
            self.outcome.struck = list(self.injector.struck)
            self.outcome.samples = self.watch.samples
            self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _round(self, faults: list[Fault]) -> None:
        current = Round(number=faults[0].round_no, began=time.time())
        self.outcome.rounds.append(current)
        self.phase = f"round {current.number} of {self.options.rounds}: faults strike"
        if current.number == 1:
            self.crowd.start()
        else:
            self.crowd.work()
        auditor = threading.Timer(self.options.striking_seconds * AUDIT_AT_SHARE, self._audit_under_fire, [current])
        auditor.start()
        self.injector.run_round(faults)
        self.crowd.rest()
        current.last_fault = max(struck.ended for struck in self.injector.struck)
        self.phase = f"round {current.number}: settling"
        self._settle(current)
        auditor.join()
        self.phase = f"round {current.number}: reckoning"
        self._reckon(current)
        current.ended = time.time()
        self._say(_told(current))

    def _settle(self, current: Round) -> None:
        """Wait until every client has his answer and nothing is under way; tell how long it took."""
        idle = threading.Thread(target=self._note_idle, args=(current,), name="idle")
        idle.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            current.left = self._unsettled()
            after = time.time() - current.last_fault
            money_moves = any(count for what, count in current.left.items() if what != NOT_MONEY)
            if money_moves:
                current.money_settled = None
            elif current.money_settled is None:
                current.money_settled = after
            if not any(current.left.values()) and not idle.is_alive():
                current.settled = after
                break
            time.sleep(LOOK_EVERY_SECONDS)
        idle.join()
        if current.answered is None:
            self._violation("every client has an answer in the end", f"round {current.number}", "some broke down")
        limit = self.options.settle_seconds
        if current.settled is None or current.settled > limit:
            took = "not at all" if current.settled is None else f"after {current.settled:.1f} s"
            self._violation(
                f"everything is settled within {limit:g} seconds of the last fault",
                f"round {current.number}",
                f"settled {took}; the last client had his answer after {current.answered} s; left: {current.left}",
            )

    def _note_idle(self, current: Round) -> None:
        self.crowd.wait_until_idle()
        current.answered = round(time.time() - current.last_fault, 2)

    def _unsettled(self) -> dict[str, int]:
        try:
            return unsettled(self._databases)
        except psycopg2.Error:
            return {"PostgreSQL is away": 1}

    def _reckon(self, current: Round) -> None:
        """Compare what people know with the books, now that nothing moves."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._victims.all_run():
            if time.monotonic() > deadline:
                self._violation("what dies is started again", f"round {current.number}", "not everything runs")
                break
            time.sleep(LOOK_EVERY_SECONDS)
        self._databases.close()  # a connection that has slept through a death of the server is no use
        # Checks whose last seconds run would move money while we read one database after another.
        while not is_still(self._databases) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_SECONDS)
        self.crowd.look()
        books = read_books(self._databases)
        record = read_record(journal.read(self._journals))
        self.outcome.violations += check(books, record, self._clocks())
        for failure in self.injector.failures:
            self._violation("faults are what they should be", f"round {current.number}", failure)
        current.compared = {"checks": len(books.checks), "top-ups": len(books.topups), "entries": len(books.entries)}
        found = auditing.audit(self._system.data_dir)
        if found is None:
            self._violation("the auditor can read the books", f"round {current.number}", "it could not")
        self.outcome.violations += found or []

    def _audit_under_fire(self, current: Round) -> None:
        found = auditing.audit(self._system.data_dir)
        current.audit_under_fire = None if found is None else not found
        self.outcome.violations += [Violation(f"{v.rule} (under fire)", v.subject, v.message) for v in found or []]

    def _clocks(self) -> list[tuple[float, float, float]]:
        return [
            (struck.began, struck.ended, float(CLOCK_OFFSETS_SECONDS[struck.fault.choice % len(CLOCK_OFFSETS_SECONDS)]))
            for struck in self.injector.struck
            if struck.fault.kind is Kind.CLOCK
        ]

    def _violation(self, rule: str, subject: str, message: str) -> None:
        self.outcome.violations.append(Violation(rule, subject, message))


def _told(current: Round) -> str:
    settled = "not settled" if current.settled is None else f"settled {current.settled:.1f} s after the last fault"
    under_fire = {True: "clean", False: "NOT clean", None: "not readable"}[current.audit_under_fire]
    compared = ", ".join(f"{count} {what}" for what, count in current.compared.items())
    return f"round {current.number}: {settled}; audit under fire {under_fire}; compared {compared}"


def _any_order(numbers: range, seed: int) -> list[int]:
    return random.Random(f"{seed}/{os.getpid()}").sample(numbers, len(numbers))


def run(options: Options, say: Say, watched: Callable[[Run], None] = lambda _: None) -> Outcome:
    """Start a system, run, and stop it. ``watched`` is told of the run before it begins.

    The system's data stays in ``options.out`` when something is wrong, or when it is asked for.
    """
    if options.out.exists():
        shutil.rmtree(options.out)
    options.out.mkdir(parents=True)
    data_dir = options.out / "system"
    say("The system starts.")
    # Not on the port that every system likes best: while its gateway is dead, another system's would take its place.
    port = next(port for port in _any_order(ports.RANGE, options.seed) if ports.is_free(port))
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
