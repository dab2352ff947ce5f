"""A complete FastCheck in forked processes, with its own databases and broker, whose state can be restored."""

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
from deploy.services import BUS, BY_NAME
from launcher.ports import HOST, RANGE, Claims
from tests.faults.books import BankPayment, Books, read, read_bank
from tests.faults.crash_points.control import Control, Mode, Passed, Plan, Trace
from tests.faults.crash_points.databases import OffsetDatabases
from tests.faults.crash_points.processes import Process, Processes
from tests.faults.databases import created
from tests.support import databases
from tests.support.servers import Servers

#: Servers, which always run. Other processes are started when a flow needs them.
WEB: Final = ("accounts", "balance", "checks", "payments", "bank", "gateway")
#: Databases that are restored before each run. Users and sessions in accounts stay.
RESTORED: Final = ("balance", "checks", "payments", "sandbox_bank")
_NAMES: Final = ("gateway", "accounts", "balance", "checks", "payments", "sandbox_bank")
_POLL_INTERVAL_SECONDS: Final = 0.005
_AT_WORK: Final = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = ANY(%s) AND pid <> pg_backend_pid() AND state <> 'idle'
"""


class System:
    """A system on which flows run one after the other."""

    def __init__(self, servers: Servers, urls: dict[str, str], folder: Path, ports: list[int], lane: int) -> None:
        self._servers = servers
        self._names = {service: url.rsplit("/", 1)[1] for service, url in urls.items()}
        self.secrets = credentials.generate()
        self.urls = dict(zip(_NAMES, (f"http://{HOST}:{port}" for port in ports), strict=True))
        self.databases = OffsetDatabases(servers, {name: self._names[name] for name in RESTORED})
        broker, cache = servers.redis_url(2 * lane), servers.redis_url(2 * lane + 1)
        self.broker = redis.Redis.from_url(broker)
        self.broker.flushdb()
        redis.Redis.from_url(cache).flushdb()
        self._control = Control.create(folder / "control")
        self._trace = Trace(folder / "trace")
        self.environ = system_settings(
            self.secrets,
            # The port of a service that does not take part is 0.
            dict.fromkeys((*BY_NAME, "postgres", "redis"), f"{HOST}:0")
            | {name: f"{HOST}:{port}" for name, port in zip(_NAMES, ports, strict=True)},
            public_url=self.urls["gateway"],
            user={
                "FASTCHECK_BROKER_URL": broker,
                "FASTCHECK_CACHE_URL": cache,
                "FASTCHECK_RATE_LIMIT_ENABLED": "false",
                "FASTCHECK_LOG_LEVEL": "WARNING",
                # Longer than a busy machine delays a message, and shorter than a clock step.
                "FASTCHECK_OUTBOX_RESEND_SECONDS": "60",
                "FASTCHECK_OUTBOX_RESEND_MAX_SECONDS": "60",
                # The breaker uses the machine's clock, so that it must be closed again in the next run.
                "FASTCHECK_BANK_BREAKER_SECONDS": "0.01",
                **{f"FASTCHECK_{name.upper()}_DATABASE_URL": url for name, url in urls.items()},
            },
        )
        self._processes = Processes(folder, self.environ, folder / "control", self._trace.path)
        self.alive: dict[str, Process] = {}
        self._changes: Mapping[str, Sequence[str]] = {}
        self._run = 0
        #: The broker's keys in the saved snapshot.
        self._messages: dict[bytes, bytes] = {}

    def close(self) -> None:
        self._processes.__exit__()
        self.databases.close()
        self.broker.close()

    # -- processes

    def restart(self, changes: Mapping[str, Sequence[str]]) -> None:
        """Restart all servers. ``changes`` maps a role to its conditions and defects."""
        for role in list(self.alive):
            self.stop(role)
        self._changes = changes
        self.restart_dead()

    def restart_dead(self) -> None:
        """Start the servers that do not run."""
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
        """Start a process that ends by itself, and wait for its end."""
        self._processes.finish(self.start(role, argument))
        del self.alive[role]

    def status_of(self, role: str, *, within: float) -> int | None:
        """Return the exit status; None while the process runs, or if it does not exist."""
        return self._processes.end_of(self.alive[role], within=within) if role in self.alive else None

    # -- points

    def arm(self, mode: Mode, role: str = "gateway", ordinal: int = 0, side: int = 0) -> None:
        """Start a new run in which points are counted, or in which one of them kills its process."""
        self._run += 1
        self._trace.clear()
        self._control.write(Plan(self._run))
        self._control.write(Plan(self._run, mode, role, ordinal, type(Plan(0).side)(side)))

    def disarm(self) -> None:
        self._control.write(Plan(self._run))

    def passed(self) -> list[Passed]:
        """Return the points that were reached in this run."""
        return self._trace.of_run(self._run)

    # -- time and state

    def set_clock_ahead(self, seconds: float) -> None:
        """Set all clocks, including the databases', this many seconds ahead of the machine's."""
        self._control.clock_ahead = seconds
        self.databases.set_clock_ahead(seconds)

    @property
    def clock_ahead(self) -> float:
        return self._control.clock_ahead

    def restore(self, *, to_the_first: bool = False) -> None:
        """Restore the saved snapshot, or the state after the migrations with an empty broker."""
        # Checks has a thread that may still work on the last request.
        self.stop("checks", *(role for role in self.alive if role not in WEB))
        when(self._no_statement_runs, "the transactions of killed processes have ended")
        self.set_clock_ahead(0)
        self.broker.flushdb()
        if to_the_first:
            self.databases.restore("initial")
            return
        self.databases.restore("flow")
        for key, content in self._messages.items():
            self.broker.restore(key, 0, content)

    def _no_statement_runs(self) -> bool:
        return bool(self.value("checks", _AT_WORK, list(self._names.values())) == 0)

    def save(self) -> None:
        """Save a snapshot of databases and broker for :meth:`restore`. The clock is not part of it."""
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
        """Return the auditor's report, read with the auditor's database role."""
        where = {service: self._servers.postgres_url(self._names[service], AUDITOR_ROLE) for service in RESTORED}
        with opened(where) as sources:
            return auditor_books.audit(sources)

    def value(self, service: str, query: str, *parameters: object) -> Any:
        """Return the single value of a query."""
        return self.databases.rows(service, query, *parameters)[0][0]

    def commits(self) -> set[tuple[str, str]]:
        """Return service and id of each transaction that left rows, as PostgreSQL recorded it."""
        return {(service, xmin) for service in RESTORED for xmin in self.databases.writers(service)}

    def waiting(self, service: str) -> int:
        """Return the number of messages that wait at the broker for a service's worker."""
        return sum(int(self.broker.llen(queue)) for queue in queues_of(service))

    @property
    def unacknowledged(self) -> int:
        """Return the number of messages that were delivered to a worker and not acknowledged."""
        return sum(int(self.broker.hlen(f"{service}.unacked")) for service in BUS)


def when(condition: Callable[[], object], what: str, *, within: float = 30.0) -> None:
    """Wait until the condition holds. Raise AssertionError after ``within`` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}")
        time.sleep(_POLL_INTERVAL_SECONDS)


@contextmanager
def started(servers: Servers, lane: int) -> Iterator[System]:
    """Start a system. ``lane`` selects the numbered databases of its broker."""
    folder = Path(tempfile.mkdtemp(prefix="fastcheck-crash-points-"))
    claims = Claims()
    with ExitStack() as stack:
        names = stack.enter_context(created(servers, (*RESTORED, "accounts")))
        stack.callback(shutil.rmtree, folder)
        stack.callback(claims.release)
        ports = _ports(claims, lane)
        urls = {service: databases.url(servers, service, name) for service, name in names.items()}
        system = System(servers, urls, folder, ports, lane)
        stack.callback(system.close)
        yield system


def _ports(claims: Claims, lane: int) -> list[int]:
    """Claim free ports. Each lane and run starts at another place of the range."""
    first = (lane * 997 + time.monotonic_ns()) % len(RANGE)
    found: list[int] = []
    for port in (*RANGE[first:], *RANGE[:first]):
        if claims.take(port):
            found.append(port)
        if len(found) == len(_NAMES):
            return found
    raise AssertionError("there are no free ports")
