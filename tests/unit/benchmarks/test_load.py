"""The load generator against a server of one page."""

import itertools
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import load, meters
from benchmarks.load import in_turn, message
from benchmarks.results import median_of, quantiles_ms


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"x" * 100_000 if self.path == "/long" else b"ok"
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_load_of_a_fixed_size_sends_each_request_once(url: str) -> None:
    requests = [message("GET", path, session="S") for path in ("/", "/missing", "/long") * 5]
    outcome = load.run(url, [lambda: in_turn(requests)], connections=4, seconds=60, keep_bodies=True)
    assert (outcome.done, outcome.errors, len(outcome.latencies)) == (10, 5, 15)
    assert sorted(map(len, outcome.bodies)) == [2] * 10 + [100_000] * 5
    assert outcome.processes == 1


def test_a_load_of_a_fixed_time_ends_and_adds_up_its_processes(url: str) -> None:
    request = message("GET", "/", session="S")
    outcome = load.run(url, [lambda: itertools.repeat(request)] * 2, connections=3, seconds=0.2)
    assert outcome.processes == 2
    assert outcome.done == len(outcome.latencies) > 10
    assert 0.2 <= outcome.seconds < 5
    figures = median_of("page", 3, [(outcome, {"server": 0.5})])
    assert figures.per_second == pytest.approx(outcome.done / outcome.seconds)
    assert figures.cpu_ms == {"server": pytest.approx(500 / outcome.done)}


def test_quantiles_are_those_of_the_sorted_latencies() -> None:
    assert quantiles_ms([number / 1000 for number in range(100, 0, -1)]) == (51, 96, 100)


def test_the_own_process_uses_time_and_memory() -> None:
    roots = {"we": os.getpid()}
    assert meters.cpu_seconds(roots)["we"] > 0
    assert meters.memory_mib(roots)["we"] > 1
