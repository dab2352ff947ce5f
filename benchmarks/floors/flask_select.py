"""The floor of the HTTP paths: Flask and one SELECT, under the server that runs FastCheck."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from benchmarks import load
from benchmarks.load import Outcome, Requests
from benchmarks.system import System, free_port
from launcher.processes import answers_ready

WORKERS: Final = 2
THREADS: Final = 16
START_TIMEOUT_SECONDS: Final = 20.0
PATHS: Final = ("/sqlalchemy", "/raw")

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS floor_accounts (account_id int PRIMARY KEY, balance bigint NOT NULL);
    INSERT INTO floor_accounts VALUES (1, 150000) ON CONFLICT DO NOTHING;
"""


@contextmanager
def serving(system: System) -> Iterator[str]:
    """Run it beside the system, on the same PostgreSQL; gives its URL."""
    system.rows("postgres", _TABLE)
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


def measure(url: str, path: str, connections: int, seconds: float) -> Outcome:
    """Load one of its two routes."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    def requests() -> Requests:
        return itertools.repeat(request)

    return load.run(url, [requests] * load.MOST_PROCESSES, connections=connections, seconds=seconds)
