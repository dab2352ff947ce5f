"""How each kind of fault strikes. Its effect on the system may outlast the function."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg2
import redis

from tests.faults.chaos.bank_control import BankControl
from tests.faults.chaos.broker import RabbitMQ
from tests.faults.chaos.clock_ahead import ClockAhead
from tests.faults.chaos.plan import BANK_FAULTS, CLOCK_OFFSETS_SECONDS, Fault, Kind
from tests.faults.chaos.victims import TargetMissing, Victims
from tests.support.system import RunningSystem

#: Start limit of the worker; after it the fault counts as missed.
CLOCK_START_SECONDS: Final = 25.0
#: Limit for clearing the faults of the bank.
BANK_TIMEOUT_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1
#: The consumer of the events that move money, and the time until events queue up without it.
CONSUMER: Final = "balance-worker"
QUEUE_FILLS_SECONDS: Final = 1.5

_SESSIONS: Final = """
    SELECT pid FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND datname LIKE 'fastcheck%%' ORDER BY pid
"""


class Forged(Exception):
    """A forged notification was accepted."""


class Striker:
    """Injects faults into one system."""

    def __init__(
        self, system: RunningSystem, folder: Path, over: threading.Event, rabbitmq: RabbitMQ | None = None
    ) -> None:
        """``over`` ends lasting faults early. With ``rabbitmq``, faults of the Redis bus strike that instead."""
        self._system = system
        self._rabbitmq = rabbitmq
        self._folder = folder
        self._over = over
        self._victims = Victims(system.data_dir)
        self._bank = BankControl(system)

    def strike(self, fault: Fault) -> str:
        """Inject a fault and return what was done; raise TargetMissing or Forged."""
        return _HOW[fault.kind](self, fault)

    def restore(self) -> None:
        """Undo what an interrupted fault may have left: clear the faults of the bank."""
        self._clear_bank_faults()

    def kill_process(self, fault: Fault) -> str:
        return f"kill -9 {self._victims.strike(fault.target, choice=fault.choice)}"

    def kill_helper(self, fault: Fault) -> str:
        return f"kill -9 {self._victims.strike_helper(fault.target, fault.choice)}"

    def kill_session(self, fault: Fault) -> str:
        """Kill the process of one session: PostgreSQL then ends all sessions and recovers."""
        try:
            connection = psycopg2.connect(self._system.postgres_url, connect_timeout=3)
        except psycopg2.OperationalError as error:
            raise TargetMissing("PostgreSQL") from error
        try:
            with connection.cursor() as cursor:
                cursor.execute(_SESSIONS)
                pids = [int(row[0]) for row in cursor.fetchall()]
        finally:
            connection.close()
        if not pids:
            raise TargetMissing("a session")
        return f"kill -9 {self._victims.strike_session(pids[fault.choice % len(pids)])}"

    def kill_broker(self, fault: Fault) -> str:
        if self._rabbitmq is None:
            return self.kill_process(fault)
        self._rabbitmq.kill_and_start()
        return "RabbitMQ instead: kill -9, and started again"

    def freeze_broker(self, fault: Fault) -> str:
        if self._rabbitmq is None:
            return self.freeze_redis(fault)
        self._rabbitmq.freeze(lambda: self._over.wait(fault.seconds))
        return "RabbitMQ instead: kill -STOP, kill -CONT"

    def freeze_redis(self, fault: Fault) -> str:
        pid = self._victims.strike("redis", signal.SIGSTOP)
        self._over.wait(fault.seconds)
        try:
            self._victims.strike("redis", signal.SIGCONT)
        except TargetMissing:
            return f"kill -STOP {pid}; another fault killed it meanwhile"
        return f"kill -STOP {pid}, kill -CONT"

    def restart_redis(self, _fault: Fault) -> str:
        return f"kill -TERM {self._victims.strike('redis', signal.SIGTERM)}"

    def wipe_redis(self, fault: Fault) -> str:
        """Flush Redis; every second time without a consumer, so that only Redis holds some messages."""
        if fault.choice % 2:
            self._victims.find("redis")
            with suppress(TargetMissing):  # it may be down already
                self._victims.strike_all(CONSUMER)
            self._over.wait(QUEUE_FILLS_SECONDS)
        client = redis.Redis.from_url(self._system.redis_url, socket_timeout=2, socket_connect_timeout=2)
        try:
            held = client.info("keyspace")
            client.flushall()
        except redis.RedisError as error:
            raise TargetMissing("Redis") from error
        finally:
            client.close()
        return f"FLUSHALL of {sum(int(database['keys']) for database in held.values())} keys"

    def break_bank(self, fault: Fault) -> str:
        plan = BANK_FAULTS[fault.choice % len(BANK_FAULTS)]
        if not self._bank.set_plan(plan):
            raise TargetMissing("the sandbox bank")
        try:
            self._over.wait(fault.seconds)
        finally:
            self._clear_bank_faults()
        return ", ".join("+".join(faults) or "none" for faults in plan)

    def _clear_bank_faults(self) -> None:
        deadline = time.monotonic() + BANK_TIMEOUT_SECONDS
        while not self._bank.set_plan([]):
            if time.monotonic() > deadline:
                raise TimeoutError("the sandbox bank does not respond")
            time.sleep(POLL_SECONDS)

    def forge(self, fault: Fault) -> str:
        try:
            sent, accepted = self._bank.forge(fault.choice)
        except psycopg2.OperationalError as error:
            raise TargetMissing("orders for forged notifications") from error
        if accepted:
            raise Forged(f"{accepted} of {sent} forged notifications were accepted")
        if not sent:
            raise TargetMissing("a gateway for forged notifications")
        return f"{sent} notifications without a valid signature"

    def set_clock_forward(self, fault: Fault) -> str:
        offset = CLOCK_OFFSETS_SECONDS[fault.choice % len(CLOCK_OFFSETS_SECONDS)]
        worker = ClockAhead(self._victims, self._folder, offset_seconds=offset)
        try:
            deadline = time.monotonic() + CLOCK_START_SECONDS
            while not worker.is_ready():
                if worker.has_died() or self._over.is_set() or time.monotonic() > deadline:
                    raise TargetMissing("a second worker of checks")
                time.sleep(POLL_SECONDS)
            self._over.wait(fault.seconds)
        finally:
            worker.end()
        return f"a second worker of checks, {offset // 3600} hours ahead"


_HOW: Final[Mapping[Kind, Callable[[Striker, Fault], str]]] = {
    Kind.WEB: Striker.kill_process,
    Kind.WEB_WORKER: Striker.kill_helper,
    Kind.BUS: Striker.kill_process,
    Kind.POSTGRES: Striker.kill_process,
    Kind.POSTGRES_SESSION: Striker.kill_session,
    Kind.REDIS_KILLED: Striker.kill_broker,
    Kind.REDIS_FROZEN: Striker.freeze_broker,
    Kind.REDIS_RESTARTED: Striker.restart_redis,
    Kind.REDIS_WIPED: Striker.wipe_redis,
    Kind.BANK: Striker.break_bank,
    Kind.FORGED: Striker.forge,
    Kind.CLOCK: Striker.set_clock_forward,
}
