"""Compare ways to execute the statements of the ledger: ``python -m benchmarks.statements``.

Starts the servers of the tests, and executes a balance read and a hold in turn in each way, on one connection each.
Prints microseconds per statement: CPU time of the client, CPU time of its server process, and the median of the wall
time. CPU times change less than wall times with the load of the machine.
"""

import os
import re
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

# ruff: noqa: SLF001  (the statements are private to the repository)
import click
from sqlalchemy import Connection, TextClause, text

from common.core.settings import DatabaseSettings
from common.db.engine import Database
from services.balance import repository, service
from services.balance.models import Posting, TransferKind, user_account_id
from tests.support import databases
from tests.support.servers import started

_PER_TURN: Final = 100
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")
_CURRENCY: Final = "RUB"

#: Executes a statement with its parameters.
Execute = Callable[[Mapping[str, object]], object]


@dataclass
class Way:
    """One way to execute one statement, with what it has taken so far, in seconds."""

    execute: Execute
    server_pid: int
    client_cpu: float = 0.0
    server_cpu: float = 0.0
    wall: list[float] = field(default_factory=list)

    def run(self, parameters: list[Mapping[str, object]]) -> None:
        """Execute the statement once for each set of parameters."""
        server, client = _cpu_of(self.server_pid), time.thread_time()
        for each in parameters:
            started_at = time.perf_counter()
            self.execute(each)
            self.wall.append(time.perf_counter() - started_at)
        self.client_cpu += time.thread_time() - client
        self.server_cpu += _cpu_of(self.server_pid) - server

    def line(self, name: str) -> str:
        """Return microseconds per statement as a line of a table."""
        microseconds = 1e6 / len(self.wall)
        client, server = self.client_cpu * microseconds, self.server_cpu * microseconds
        return f"| {name} | {client:.0f} | {server:.0f} | {statistics.median(self.wall) * 1e6:.0f} |"


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def _by_text(tx: Connection, statement: TextClause) -> Execute:
    return lambda parameters: tx.execute(statement, parameters).one_or_none()


def _by_driver_sql(tx: Connection, statement: TextClause) -> Execute:
    sql = str(statement.compile(tx.engine))
    return lambda parameters: tx.exec_driver_sql(sql, dict(parameters)).one_or_none()


def _by_psycopg2(tx: Connection, statement: TextClause) -> Execute:
    sql = str(statement.compile(tx.engine))
    return lambda parameters: _fetch(tx, sql, parameters)


def _by_prepare(tx: Connection, statement: TextClause) -> Execute:
    """PREPARE and EXECUTE, which do not work behind a pooler in transaction mode."""
    tx.exec_driver_sql("DEALLOCATE ALL")
    places: dict[str, int] = {}
    sql = str(statement.compile(tx.engine))
    numbered = _PLACEHOLDER.sub(lambda found: f"${places.setdefault(found[1], len(places) + 1)}", sql)
    tx.exec_driver_sql(f"PREPARE measured AS {numbered}")
    execute = f"EXECUTE measured ({', '.join(f'%({name})s' for name in places)})"
    return lambda parameters: _fetch(tx, execute, parameters)


def _fetch(tx: Connection, sql: str, parameters: Mapping[str, object]) -> Any:
    driver: Any = tx.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()


_WAYS: Final = {
    "SQLAlchemy, `text()`": _by_text,
    "SQLAlchemy, `exec_driver_sql`": _by_driver_sql,
    "psycopg2 alone": _by_psycopg2,
    "psycopg2 alone, PREPARE and EXECUTE": _by_prepare,
}


@click.command()
@click.option("--turns", default=20, show_default=True, help=f"Turns of {_PER_TURN} statements in each way.")
def main(turns: int) -> None:
    """Print a table for each statement."""
    with started() as servers:
        url = databases.url(servers, "balance", databases.create(servers, "balance"))
        database = Database(url, settings=DatabaseSettings(), application_name="statements")
        user = uuid4()
        with database.transaction() as tx:
            service.credit_all(tx, [Posting(TransferKind.TOPUP, uuid4(), user, 10**12, _CURRENCY, "top-up")])
        account = {"account_id": user_account_id(user, _CURRENCY)}
        _compare(database, "balance", repository._BALANCE, turns, lambda: account)
        _compare(database, "hold", repository._DEBIT, turns, lambda: repository._single(_hold(user)))
        database.dispose()


def _hold(user: Any) -> Posting:
    return Posting(TransferKind.CHECK_CREATED, uuid4(), user, 1, _CURRENCY, "1234-5678-0001")


def _compare(
    database: Database, name: str, statement: TextClause, turns: int, parameters: Callable[[], Mapping[str, object]]
) -> None:
    connections = {way: database.autocommit() for way in _WAYS}
    try:
        ways = {way: Way(make(connections[way], statement), _pid(connections[way])) for way, make in _WAYS.items()}
        for turn in range(turns + 1):
            for each in ways.values():
                each.run([parameters() for _ in range(_PER_TURN)])
            if turn == 0:  # warm
                for each in ways.values():
                    each.client_cpu = each.server_cpu = 0.0
                    each.wall.clear()
    finally:
        for connection in connections.values():
            connection.close()
    click.echo(f"\n| {name} | client CPU, µs | server CPU, µs | wall, median, µs |\n| --- | ---: | ---: | ---: |")
    for way, each in ways.items():
        click.echo(each.line(way))


def _pid(tx: Connection) -> int:
    pid: int = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
    return pid


if __name__ == "__main__":
    main()
