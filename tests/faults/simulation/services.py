"""The real services in one process: their web applications, consumers, relays and tasks, with simulated surroundings.

Real: everything from ``routes.py`` to the SQL. Simulated: the clock, the way between processes, and chance.
"""

import base64
import hashlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Final, Self
from unittest.mock import patch
from uuid import UUID, uuid4

import stamina
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr
from werkzeug.test import create_environ, run_wsgi_app

from common.bus.batched_acknowledger import BatchedAcknowledger
from common.bus.inbox import Inbox
from common.bus.publishing import register_consumer, register_publisher
from common.bus.relay import Relay
from common.bus.signatures import MessageKeys
from common.core.grouping import GroupRunner
from common.http.client.client import HttpResponse
from common.http.server.identity import TokenIssuer
from services.balance import tasks as balance_tasks
from services.balance.app import create_app as create_balance
from services.balance.config import BalanceSettings
from services.balance.context import Context as BalanceContext
from services.balance.handlers import HANDLERS
from services.checks.app import create_app as create_checks
from services.checks.clients import BalanceClient
from services.checks.config import ChecksSettings
from services.checks.context import Context as ChecksContext
from services.checks.lifecycle import tasks as checks_tasks
from services.payments.app import create_app as create_payments
from services.payments.banks.base import BankEnvironment
from services.payments.banks.tbank import TBank, TBankSettings
from services.payments.config import PaymentsSettings
from services.payments.context import Context as PaymentsContext
from services.payments.polling.tasks import poll_topups
from tests.faults.simulation.actors import Actor, Scheduler, State, current
from tests.faults.simulation.bank import PASSWORD, TERMINAL
from tests.faults.simulation.clock import SimulatedClock
from tests.faults.simulation.databases import SimulatedDatabases
from tests.faults.simulation.network import Request, SimulatedBankHttp, SimulatedCelery, SimulatedHttp, Wire

#: A constant: the key's id is part of the recording.
CODE_KEY: Final = base64.urlsafe_b64encode(bytes(range(32))).decode()
PUBLIC_URL: Final = "https://fastcheck.simulated"

#: Requests of one use case in flight up to which each runs alone: the first runs alone, and those beside it group.
UNGROUPED: Final = 1
#: One connection per actor.
_DATABASE: Final[dict[str, Any]] = {"database_pool_size": 40}


class _QuietAcknowledger(BatchedAcknowledger):
    """Collects as the real one does. The scheduler decides when it writes, or that it is lost with its process."""

    def acknowledge(self, event_id: UUID) -> None:
        self._waiting.append(event_id)

    def forget(self) -> None:
        self._waiting.clear()


class SimulatedEvent:
    """In the place of ``threading.Event`` in groups: a request that waits for its group is an actor that waits."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._is_set = False
        self._waiting: Actor | None = None

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        if self._waiting is not None and self._waiting.state is State.WAITING:
            self._scheduler.answer(self._waiting, None)

    def wait(self, timeout: float) -> bool:  # noqa: ARG002  the scheduler decides when it is over
        actor = current()
        if actor is None:
            raise RuntimeError("only actors wait for a group")
        if not self._is_set:
            actor.waits_for = ""
            self._waiting = actor
            self._scheduler.gate("waits for its group", State.WAITING)
            self._waiting = None
        return self._is_set


class _NoBound:
    """In the place of the bound of requests that run alone: the number of actors is bounded."""

    def acquire(self, timeout: float) -> bool:  # noqa: ARG002
        return True

    def release(self) -> None:
        pass


class SimulatedServices:
    """Built once per worker; :meth:`reset` restores the initial state."""

    def __init__(self, databases: SimulatedDatabases, clock: SimulatedClock, wire: Callable[[], Wire]) -> None:
        self._wire = wire
        keys = {name: Ed25519PrivateKey.generate() for name in ("gateway", "checks", "payments", "balance", "operator")}
        private = {name: base64.b64encode(key.private_bytes_raw()).decode() for name, key in keys.items()}
        public = {name: base64.b64encode(key.public_key().public_bytes_raw()).decode() for name, key in keys.items()}
        self._gateway = TokenIssuer("gateway", private["gateway"])
        common: dict[str, Any] = {"broker_url": "memory://", "token_public_keys": public, "log_level": "ERROR"}
        self.balance = self._open_balance(databases, clock, common)
        self.checks = self._open_checks(databases, clock, common, private["checks"])
        self.payments = self._open_payments(databases, clock, common)
        self.consumers = SimulatedCelery(wire)
        self.inbox = Inbox(self.balance.db, HANDLERS, max_attempts=self.balance.settings.inbox_max_attempts)
        self.keys = {name: MessageKeys(name, private[name], public) for name in ("balance", "checks", "payments")}
        register_consumer(self.consumers, self.keys["balance"], self.inbox)
        register_publisher(self.consumers, self.keys["checks"], self.checks.db)
        register_publisher(self.consumers, self.keys["payments"], self.payments.db)
        # The recording replaces logs.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

    def _open_balance(self, databases: SimulatedDatabases, clock: SimulatedClock, common: Any) -> BalanceContext:
        settings = BalanceSettings(
            balance_database_url=SecretStr(databases.urls["balance"]),
            balance_token_key=SecretStr("unused"),
            **common,
            **_DATABASE,
        )
        context = replace(BalanceContext.open(settings, "simulated-balance"), clock=clock)
        self.balance_app = create_balance(settings)
        self.balance_app.extensions["context"] = context
        return context

    def _open_checks(
        self, databases: SimulatedDatabases, clock: SimulatedClock, common: Any, key: str
    ) -> ChecksContext:
        settings = ChecksSettings(
            checks_database_url=SecretStr(databases.urls["checks"]),
            checks_token_key=SecretStr(key),
            balance_url="http://balance.simulated",
            public_url=PUBLIC_URL,
            code_keys=SecretStr(CODE_KEY),
            min_check_lifetime_seconds=1,
            **common,
            **_DATABASE,
        )
        http: Any = SimulatedHttp(self._wire, "balance")
        context = ChecksContext.open(settings, "simulated-checks")
        self.acknowledger = _QuietAcknowledger(context.db, subscriber="balance")
        context = replace(
            context,
            clock=clock,
            balance=BalanceClient(hold_client=http, settle_client=http, issuer=TokenIssuer("checks", key)),
            acknowledger=self.acknowledger,
        )
        self.checks_app = create_checks(settings)
        self.checks_app.extensions["context"] = context
        return context

    def _open_payments(self, databases: SimulatedDatabases, clock: SimulatedClock, common: Any) -> PaymentsContext:
        settings = PaymentsSettings(
            payments_database_url=SecretStr(databases.urls["payments"]),
            public_url=PUBLIC_URL,
            return_origins=(PUBLIC_URL,),
            **common,
            **_DATABASE,
        )
        self._clock = clock
        self.tbank = TBank(TBankSettings(terminal_key=TERMINAL, password=SecretStr(PASSWORD)), BankEnvironment())
        context = replace(PaymentsContext.open(settings, "simulated-payments", {"tbank": self.tbank}), clock=clock)
        self.payments_app = create_payments(settings, {"tbank": self.tbank})
        self.payments_app.extensions["context"] = context
        return context

    def reset(self) -> None:
        """Drop all in-memory state, as a restart of all processes does."""
        for process in ("checks-web", "balance-web", "balance-worker"):
            self.forget(process)
        self.tbank._http = SimulatedBankHttp(self._wire, self._clock)

    def forget(self, process: str) -> None:
        """Drop the in-memory state of a process."""
        if process == "checks-web":
            self.acknowledger.forget()
            self.checks = replace(self.checks, creations=_runner("create"), acceptances=_runner("accept"))
            self.checks_app.extensions["context"] = self.checks
        elif process == "balance-web":
            self.balance = replace(self.balance, debits=_runner("debit"), credits=_runner("credit"))
            self.balance_app.extensions["context"] = self.balance
        elif process == "balance-worker":
            self.inbox._deferred_refunds.clear()

    def token_for(self, service: str, user_id: UUID | None) -> str:
        """Return the authorization header of the gateway."""
        return f"Bearer {self._gateway.issue(service, user_id)}"

    def serve(self, request: Request) -> HttpResponse:
        """Answer one request in the web application of a service."""
        return _call_wsgi(getattr(self, f"{request.to}_app"), request)

    def relay(self, service: str) -> None:
        """Run the relay until no event is due."""
        context: Any = getattr(self, service)
        relay = Relay(self.keys[service], context.db, self.consumers, context.settings)
        while relay.send_due() == context.settings.outbox_batch_size:
            pass

    @property
    def ticks(self) -> dict[str, tuple[str, Callable[[], Any]]]:
        """Map each periodic task to its process and its function."""
        return {
            "expire": ("checks-worker", lambda: checks_tasks.expire_due_checks(self.checks)),
            "finish": ("checks-worker", lambda: checks_tasks.finish_pending_checks(self.checks)),
            "poll": ("payments-worker", lambda: poll_topups(self.payments)),
            # Purge all finished records: the ledger's ids alone must prevent a second effect.
            "forget": ("balance-worker", lambda: balance_tasks.purge_old_records(self.balance.db, 0)),
            "flush": ("checks-web", self.acknowledger.flush),
            "relay-checks": ("checks-relay", lambda: self.relay("checks")),
            "relay-payments": ("payments-relay", lambda: self.relay("payments")),
        }


def _runner(use_case: str) -> GroupRunner[Any, Any]:
    """Return a runner of groups that also groups the few requests of a simulation."""
    return GroupRunner(use_case, ungrouped=UNGROUPED)


def _call_wsgi(app: Any, request: Request) -> HttpResponse:
    headers = {"X-Request-ID": hashlib.sha256(request.name.encode()).hexdigest()[:32], **request.headers}
    environ = create_environ(request.target, method=request.method, headers=headers, data=request.body)
    chunks, status, found = run_wsgi_app(app.wsgi_app, environ, buffered=True)
    return HttpResponse(int(status.split(" ", 1)[0]), {name.lower(): value for name, value in found}, b"".join(chunks))


class _InlineExecutor:
    """Replaces a thread pool: an actor is one thread."""

    def __init__(self, **_: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(function(*arguments))
        return done


def seeded_uuid() -> UUID:
    """Return a UUID that depends on the seed and on the actor that asks for it."""
    actor = current()
    return UUID(int=actor.random.getrandbits(128), version=4) if actor else uuid4()


def _seeded_digits(digits: int) -> Callable[[], str]:
    def digits_of_actor() -> str:
        actor = current()
        if actor is None:
            raise RuntimeError("only actors create numbers and codes")
        return f"{actor.random.randrange(10**digits):0{digits}d}"

    return digits_of_actor


@contextmanager
def simulated_randomness(clock: SimulatedClock, scheduler: Callable[[], Scheduler]) -> Iterator[None]:
    """Replace random sources and clocks of the services by those of the seed."""
    replaced: dict[str, Any] = {
        "common.bus.inbox.monotonic": clock.seconds,
        "common.core.grouping.Event": lambda: SimulatedEvent(scheduler()),
        "common.core.grouping.BoundedSemaphore": lambda _: _NoBound(),
        "services.checks.lifecycle.service.uuid4": seeded_uuid,
        "services.checks.lifecycle.service.random_number": _seeded_digits(12),
        "services.checks.lifecycle.service.random_code": _seeded_digits(4),
        "services.checks.codes.service.random_code": _seeded_digits(4),
        "services.payments.topups.service.uuid4": seeded_uuid,
        "services.payments.topups.opening.monotonic": clock.seconds,
        "services.payments.banks.http.perf_counter": clock.seconds,
        "services.payments.polling.service.ThreadPoolExecutor": _InlineExecutor,
    }
    with ExitStack() as stack:
        for name, value in replaced.items():
            stack.enter_context(patch(name, value))
        stack.enter_context(stamina.set_testing(True, attempts=6, cap=True))
        yield
