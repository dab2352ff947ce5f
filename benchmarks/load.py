"""A load generator for requests that are sent once each, or whose responses are needed.

It is a few processes with one epoll loop each.
Closed loop: every connection sends its next request when it has its response. A request costs the generator about 30
microseconds; how busy its processes were is reported, so that a doubtful figure can be seen. Loads that repeat the
same requests use wrk (``benchmarks/repeated.py``).
"""

import multiprocessing
import resource
import select
import socket
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

#: More only makes the generator's own processes wait for each other on a small machine.
MOST_PROCESSES: Final = 2
ANSWER_TIMEOUT_SECONDS: Final = 30.0

#: Requests as they go over the wire; the load ends when there are no more.
Requests = Iterator[bytes]


@dataclass
class Outcome:
    """What one load came to. Latencies are in seconds, one per answer."""

    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: list[bytes] = field(default_factory=list)
    began: float = float("inf")
    ended: float = 0.0
    cpu_seconds: float = 0.0
    processes: int = 0

    @property
    def seconds(self) -> float:
        return max(self.ended - self.began, 1e-9)

    @property
    def errors(self) -> int:
        return sum(count for status, count in self.statuses.items() if not 200 <= status < 300)

    @property
    def done(self) -> int:
        return sum(self.statuses.values()) - self.errors

    @property
    def busy(self) -> float:
        """Which part of its time a process of the generator worked; near 1 it would be the bottleneck."""
        return self.cpu_seconds / self.seconds / max(self.processes, 1)

    def add(self, other: "Outcome") -> None:
        self.latencies.extend(other.latencies)
        self.statuses.update(other.statuses)
        self.bodies.extend(other.bodies)
        self.began, self.ended = min(self.began, other.began), max(self.ended, other.ended)
        self.cpu_seconds += other.cpu_seconds
        self.processes += other.processes


def run(
    url: str,
    sources: Sequence[Callable[[], Requests]],
    *,
    connections: int,
    seconds: float,
    keep_bodies: bool = False,
) -> Outcome:
    """Load the server at ``url`` from one process per source, until the time is over or the requests are."""
    sources = sources[: min(len(sources), connections)]
    shares = [connections // len(sources) + (number < connections % len(sources)) for number in range(len(sources))]
    fork = multiprocessing.get_context("fork")
    running = []
    for source, share in zip(sources, shares, strict=True):
        ours, theirs = fork.Pipe(duplex=False)
        process = fork.Process(
            target=_work,
            args=(theirs, url, source),
            kwargs={"connections": share, "seconds": seconds, "keep": keep_bodies},
            daemon=True,
        )
        process.start()
        theirs.close()
        running.append((process, ours))
    total = Outcome()
    for process, ours in running:
        total.add(ours.recv())
        process.join()
    return total


def _work(
    result: Connection, url: str, source: Callable[[], Requests], *, connections: int, seconds: float, keep: bool
) -> None:
    parts = urlsplit(url)
    loop = _Loop(parts.hostname or "", parts.port or 80, source(), keep)
    result.send(loop.run(connections, seconds))
    result.close()


@dataclass(slots=True)
class _Wire:
    socket: socket.socket
    sent_at: float = 0.0
    received: bytes = b""


class _Loop:
    """All connections of one process."""

    def __init__(self, host: str, port: int, requests: Requests, keep_bodies: bool) -> None:
        self._address = (host, port)
        self._requests = requests
        self._keep_bodies = keep_bodies
        self._outcome = Outcome(processes=1)

    def run(self, connections: int, seconds: float) -> Outcome:
        poller = select.epoll()
        wires: dict[int, _Wire] = {}
        for _ in range(connections):
            wire = _Wire(socket.create_connection(self._address, timeout=ANSWER_TIMEOUT_SECONDS))
            wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wires[wire.socket.fileno()] = wire
            poller.register(wire.socket, select.EPOLLIN)
        cpu = _own_cpu_seconds()
        self._outcome.began = perf_counter()
        until = self._outcome.began + seconds
        waiting = sum(self._send(wire) for wire in wires.values())
        while waiting:
            ready = poller.poll(ANSWER_TIMEOUT_SECONDS)
            if not ready:
                raise TimeoutError(f"{waiting} requests were not answered within {ANSWER_TIMEOUT_SECONDS:.0f} seconds")
            for number, _ in ready:
                if self._receive(wires[number]) and not (perf_counter() < until and self._send(wires[number])):
                    waiting -= 1
        self._outcome.ended = perf_counter()
        self._outcome.cpu_seconds = _own_cpu_seconds() - cpu
        for wire in wires.values():
            wire.socket.close()
        return self._outcome

    def _send(self, wire: _Wire) -> bool:
        request = next(self._requests, None)
        if request is None:
            return False
        wire.sent_at = perf_counter()
        wire.socket.sendall(request)
        return True

    def _receive(self, wire: _Wire) -> bool:
        """Take what has come; returns whether the answer is complete."""
        data = wire.socket.recv(65_536)
        if not data:
            raise ConnectionError("the server closed a connection in the middle of the load")
        data = wire.received + data
        head = data.find(b"\r\n\r\n")
        if head < 0 or len(data) < head + 4 + _content_length(data[:head]):
            wire.received = data
            return False
        wire.received = b""
        self._outcome.latencies.append(perf_counter() - wire.sent_at)
        self._outcome.statuses[int(data[9:12])] += 1
        if self._keep_bodies:
            self._outcome.bodies.append(data[head + 4 :])
        return True


def _content_length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    return int(lower[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _own_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def message(method: str, path: str, *, session: str, key: str = "", body: bytes = b"") -> bytes:
    """A request of a signed-in user, as bytes."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f'Authorization: {{"sessionID": "{session}"}}',
        *([f"Idempotency-Key: {key}"] if key else []),
        *(["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def each_once(requests: Sequence[bytes]) -> Requests:
    """Yield each request once, for loads of a fixed size."""
    waiting = deque(requests)
    while waiting:
        yield waiting.popleft()
