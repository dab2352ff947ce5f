"""The load generator against a server of one page."""

import itertools
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import load, meters, repeated, wrk
from benchmarks.load import each_once, message
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
    outcome = load.run(url, [lambda: each_once(requests)], connections=4, seconds=60, keep_bodies=True)
    assert (outcome.done, outcome.errors, len(outcome.latencies)) == (10, 5, 15)
    assert sorted(map(len, outcome.bodies)) == [2] * 10 + [100_000] * 5
    assert outcome.processes == 1


def test_a_load_of_a_fixed_time_ends_and_adds_up_its_processes(url: str) -> None:
    request = message("GET", "/", session="S")
    outcome = load.run(url, [lambda: itertools.repeat(request)] * 2, connections=3, seconds=1)
    assert outcome.processes == 2
    assert outcome.done == len(outcome.latencies) > 2
    assert 1 <= outcome.seconds < 30
    figures = median_of("page", 3, [(outcome, {"server": 0.5})])
    assert figures.per_second == pytest.approx(outcome.done / outcome.seconds)
    assert figures.cpu_ms == {"server": pytest.approx(500 / outcome.done)}


@pytest.mark.parametrize("with_wrk", [True, False])
def test_a_repeated_load_counts_successes_and_errors(url: str, monkeypatch: pytest.MonkeyPatch, with_wrk: bool) -> None:
    """wrk runs where it is installed; without it the same load is run by our own generator."""
    if not with_wrk:
        monkeypatch.setattr(wrk, "is_installed", lambda: False)
    requests = [message("GET", path, session="S") for path in ("/", "/missing")]
    outcome = repeated.run(url, requests, connections=2, seconds=0.5)
    assert outcome.done > 0
    assert outcome.errors > 0
    assert outcome.seconds >= 0.5
    p50, _, p99 = quantiles_ms(outcome.latencies)
    assert 0 < p50 <= p99


@pytest.mark.skipif(not wrk.is_installed(), reason="needs wrk")
def test_wrk_that_cannot_connect_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="wrk did not measure"):
        wrk.run("http://127.0.0.1:1", [message("GET", "/", session="S")], connections=1, seconds=1)


def test_quantiles_are_those_of_the_sorted_latencies() -> None:
    assert quantiles_ms([number / 1000 for number in range(100, 0, -1)]) == (51, 96, 100)


def test_the_own_process_uses_time_and_memory() -> None:
    roots = {"we": os.getpid()}
    assert meters.cpu_seconds(roots)["we"] > 0
    assert meters.memory_mib(roots)["we"] > 1
