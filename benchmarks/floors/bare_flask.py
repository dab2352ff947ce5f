"""The floors of the HTTP paths: Flask with one SELECT or one transfer, under the server that runs FastCheck."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from benchmarks import repeated
from benchmarks.floors import sql_transfer
from benchmarks.load import Outcome
from benchmarks.system import System, free_port
from launcher.processes import answers_ready

WORKERS: Final = 2
THREADS: Final = 16
START_TIMEOUT_SECONDS: Final = 20.0
DRIVERS: Final = ("psycopg2", "sqlalchemy")
#: Name of an operation -> method and last part of the path.
OPERATIONS: Final = {"read": "GET", "transfer": "POST"}


@contextmanager
def serving(system: System) -> Iterator[str]:
    """Run it beside the system, on the same PostgreSQL; gives its URL."""
    sql_transfer.prepare(system)
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface=wsgi",
        "--factory",
        "benchmarks.floors.bare_app:create_app",
    ]
    command += ["--host=127.0.0.1", f"--port={port}", f"--workers={WORKERS}", f"--blocking-threads={THREADS}"]
    command += ["--http=1", "--no-ws", "--log-level=error"]
    database = urlunsplit(urlsplit(system.postgres_url)._replace(path="/postgres"))
    process = subprocess.Popen(command, env={**os.environ, "BARE_DATABASE_URL": database, "MALLOC_ARENA_MAX": "2"})
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not answers_ready(port):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the bare Flask application did not start")
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def measure(url: str, driver: str, operation: str, connections: int, seconds: float) -> Outcome:
    """Load one of the routes."""
    head = f"{OPERATIONS[operation]} /{driver}/{operation} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    request = f"{head}Content-Length: 0\r\n\r\n".encode()
    return repeated.run(url, [request], connections=connections, seconds=seconds)
