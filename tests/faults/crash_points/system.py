"""A whole FastCheck in forked processes, over databases and a broker of its own, that is struck and brought back."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import redis

from auditor import books as auditor_books
from auditor.findings import Report
from auditor.sources import opened
from common.bus.topology import queues_of
from deploy import credentials
from deploy.environment import system_settings
from deploy.provisioning import AUDITOR_ROLE
from launcher.ports import HOST, RANGE, Claims
from tests.faults.books import BankPayment, Books, read, read_bank
from tests.faults.crash_points.control import Control, Mode, Passed, Plan, Trace
from tests.faults.crash_points.databases import OffsetDatabases
from tests.faults.crash_points.processes import Process, Processes
from tests.faults.databases import created
from tests.support import databases
from tests.support.servers import Servers

#: Who always serves; the others are started when there is something for them to do.
WEB: Final = ("accounts", "balance", "checks", "payments", "bank", "gateway")
#: What is brought back to a moment. The users and their sessions of accounts stay.
KEPT: Final = ("balance", "checks", "payments", "sandbox_bank")
_NAMES: Final = ("gateway", "accounts", "balance", "checks", "payments", "sandbox_bank")
_LOOK_EVERY_SECONDS: Final = 0.005
_AT_WORK: Final = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = ANY(%s) AND pid <> pg_backend_pid() AND state <> 'idle'
"""


class System:
    """One lane: everything that one flow after another is walked on."""

    def __init__(self, servers: Servers, urls: dict[str, str], folder: Path, ports: list[int], lane: int) -> None:
        self._servers = servers
        self._names = {service: url.rsplit("/", 1)[1] for service, url in urls.items()}
        self.secrets = credentials.generate()
        self.urls = dict(zip(_NAMES, (f"http://{HOST}:{port}" for port in ports), strict=True))
        self.databases = OffsetDatabases(servers, {name: self._names[name] for name in KEPT})
        broker, cache = servers.redis_url(2 * lane), servers.redis_url(2 * lane + 1)
        self.broker = redis.Redis.from_url(broker)
        self.broker.flushdb()
        redis.Redis.from_url(cache).flushdb()
        self._control = Control.create(folder / "control")
        self._trace = Trace(folder / "trace")
        self.environ = system_settings(
            self.secrets,
            {name: f"{HOST}:{port}" for name, port in zip((*_NAMES, "postgres", "redis"), (*ports, 0, 0), strict=True)},
            public_url=self.urls["gateway"],
            user={
                "FASTCHECK_BROKER_URL": broker,
                "FASTCHECK_CACHE_URL": cache,
                "FASTCHECK_RATE_LIMIT_ENABLED": "false",
                "FASTCHECK_LOG_LEVEL": "WARNING",
                # Nothing is sent again while a busy machine is slow: a leap is longer than this.
                "FASTCHECK_OUTBOX_RESEND_SECONDS": "60",
                "FASTCHECK_OUTBOX_RESEND_MAX_SECONDS": "60",
                # It cannot leap: whoever failed to reach the bank is to try again in the next run.
                "FASTCHECK_BANK_BREAKER_SECONDS": "0.01",
                **{f"FASTCHECK_{name.upper()}_DATABASE_URL": url for name, url in urls.items()},
            },
        )
        self._processes = Processes(folder, self.environ, folder / "control", self._trace.path)
        self.alive: dict[str, Process] = {}
        self._changes: Mapping[str, Sequence[str]] = {}
        self._run = 0
        #: What lies at the broker at the moment that is kept.
        self._messages: dict[bytes, bytes] = {}

    def close(self) -> None:
        self._processes.__exit__()
        self.databases.close()
        self.broker.close()

    # -- processes

    def stand_up(self, changes: Mapping[str, Sequence[str]]) -> None:
        """All web processes anew, each with what is to be otherwise in it."""
        for role in list(self.alive):
            self.stop(role)
        self._changes = changes
        self.revive()

    def revive(self) -> None:
        """Bring back who serves and is dead."""
        for role in WEB:
            if not self.is_alive(role):
                self.start(role)

    def start(self, role: str, argument: str = "", changes: Sequence[str] = ()) -> Process:
        self.alive[role] = self._processes.start(role, argument, (*self._changes.get(role, ()), *changes))
        return self.alive[role]

    def is_alive(self, role: str) -> bool:
        return role in self.alive and self._processes.end_of(self.alive[role], within=0) is None

    def stop(self, *roles: str) -> None:
        for role in roles:
            if role in self.alive:
                self._processes.kill(self.alive.pop(role))

    def finish(self, role: str, argument: str = "") -> None:
        """Start a process that ends by itself, and wait for that."""
        self._processes.finish(self.start(role, argument))
        del self.alive[role]

    def status_of(self, role: str, *, within: float) -> int | None:
        """How a process ended; None while it lives, and where there is none."""
        return self._processes.end_of(self.alive[role], within=within) if role in self.alive else None

    # -- points

    def arm(self, mode: Mode, role: str = "gateway", ordinal: int = 0, side: int = 0) -> None:
        """From now on, and in a new run, points are counted, or one of them is deadly."""
        self._run += 1
        self._trace.clear()
        self._control.write(Plan(self._run))
        self._control.write(Plan(self._run, mode, role, ordinal, type(Plan(0).side)(side)))

    def disarm(self) -> None:
        self._control.write(Plan(self._run))

    def passed(self) -> list[Passed]:
        """Of this run."""
        return self._trace.of_run(self._run)

    # -- time and state

    def leap(self, seconds: float) -> None:
        """Everybody's clock, that of the databases too, is so far ahead of the machine's."""
        self._control.leap = seconds
        self.databases.set_clock_ahead(seconds)

    @property
    def leapt(self) -> float:
        return self._control.leap

    def restore(self, *, to_the_first: bool = False) -> None:
        """The moment that was kept, or what the migrations have left and nothing at the broker."""
        # Checks has a thread that may still be at what was asked last.
        self.stop("checks", *(role for role in self.alive if role not in WEB))
        when(self._nobody_writes, "the transactions of who is dead have ended")
        self.leap(0)
        self.broker.flushdb()
        if to_the_first:
            self.databases.restore("initial")
            return
        self.databases.restore("flow")
        for key, content in self._messages.items():
            self.broker.restore(key, 0, content)

    def _nobody_writes(self) -> bool:
        return bool(self.value("checks", _AT_WORK, list(self._names.values())) == 0)

    def keep(self) -> None:
        """:meth:`restore` comes back to this moment; only its time begins anew."""
        self.databases.save("flow")
        keys: Any = self.broker.keys()
        self._messages = {key: self.broker.dump(key) or b"" for key in keys}

    def books(self) -> Books:
        """Read the books of balance, checks and payments."""
        return read(self.databases.rows)

    def bank(self) -> list[BankPayment]:
        """Read the payments of the sandbox bank."""
        return read_bank(self.databases.rows)

    def audit(self) -> Report:
        """What the auditor says, in his own role."""
        where = {service: self._servers.postgres_url(self._names[service], AUDITOR_ROLE) for service in KEPT}
        with opened(where) as sources:
            return auditor_books.audit(sources)

    def value(self, service: str, query: str, *parameters: object) -> Any:
        """One value."""
        return self.databases.rows(service, query, *parameters)[0][0]

    def commits(self) -> set[tuple[str, str]]:
        """The transactions whose rows are in the databases, as PostgreSQL itself has marked them."""
        return {(service, xmin) for service in KEPT for xmin in self.databases.writers(service)}

    def waiting(self, service: str) -> int:
        """Messages that lie with the broker for the worker of a service."""
        return sum(int(self.broker.llen(queue)) for queue in queues_of(service))

    @property
    def unacknowledged(self) -> int:
        """Messages that a worker has, or had when it died."""
        return int(self.broker.hlen("unacked"))


def when(look: Callable[[], object], what: str, *, within: float = 30.0) -> None:
    """Wait until it is so; AssertionError when it does not become so."""
    deadline = time.monotonic() + within
    while not look():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}")
        time.sleep(_LOOK_EVERY_SECONDS)


@contextmanager
def started(servers: Servers, lane: int) -> Iterator[System]:
    """A system of its own; ``lane`` keeps the broker's of several apart."""
    folder = Path(tempfile.mkdtemp(prefix="fastcheck-crash-points-"))
    claims = Claims()
    with ExitStack() as stack:
        names = stack.enter_context(created(servers, (*KEPT, "accounts")))
        stack.callback(shutil.rmtree, folder)
        stack.callback(claims.release)
        ports = _ports(claims, lane)
        urls = {service: databases.url(servers, service, name) for service, name in names.items()}
        system = System(servers, urls, folder, ports, lane)
        stack.callback(system.close)
        yield system


def _ports(claims: Claims, lane: int) -> list[int]:
    """From another corner of the range for each lane and run."""
    first = (lane * 997 + time.monotonic_ns()) % len(RANGE)
    found: list[int] = []
    for port in (*RANGE[first:], *RANGE[:first]):
        if claims.take(port):
            found.append(port)
        if len(found) == len(_NAMES):
            return found
    raise AssertionError("there are no free ports")
