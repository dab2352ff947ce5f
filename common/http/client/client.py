"""The HTTP client between services: libcurl by pycurl, with bounds on connections, time and size.

libcurl speaks HTTP and TLS and keeps connections open. This module sets its options and turns its errors into those of
``common.core.errors``; see ``docs/decisions``.
"""

import math
import os
import select
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, LifoQueue
from time import monotonic
from typing import Final, Self
from urllib.parse import urlsplit

import pycurl

from common.core.errors import ServiceUnavailable
from common.core.settings import HttpSettings

MAX_RESPONSE_BYTES: Final = 8 * 1024 * 1024
#: Maximum number of connections to one service.
MAX_CONNECTIONS: Final = 32
#: Maximum time to connect, with the TLS handshake. An unreachable machine must not hold a thread for the whole call.
CONNECT_TIMEOUT_SECONDS: Final = 1.0
#: Maximum wait for a free connection.
SLOT_TIMEOUT_SECONDS: Final = 1.5

#: libcurl repeats a request on a new connection if a kept-alive one breaks before the first byte of the response. The
#: server may have acted by then, so only these methods are repeated.
_REPEATABLE: Final = frozenset({"GET", "HEAD"})

#: Connections inherited by a fork. They are never closed here: a TLS shutdown would end the parent's session.
_INHERITED: Final[list[object]] = []


class UnknownOutcome(ServiceUnavailable):
    """The other service was unreachable or did not respond in time. Whether it acted is unknown; retry."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete response; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files: the CA that signs the servers' certificates, and the client's own certificate and key."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def of(cls, settings: HttpSettings) -> Self | None:
        """Return the files that the settings name, or None."""
        return None if settings.tls_ca is None else cls(settings.tls_ca, settings.tls_cert, settings.tls_key)


class HttpClient:
    """Calls one service at ``http://host:port`` or ``https://host:port``. Safe to share between threads and forks."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_seconds: float,
        max_connections: int = MAX_CONNECTIONS,
        tls: TlsFiles | None = None,
    ) -> None:
        """Connect to nothing yet. ``https://`` needs ``tls``; raises ValueError.

        ``timeout_seconds`` bounds a whole call: the wait for a connection, and the response to its last byte.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError(f"{base_url!r} is not http://host:port or https://host:port")
        if parts.scheme == "https" and tls is None:
            raise ValueError(f"{base_url!r} needs the file of the CA that signs the service's certificate")
        self._base_url, self._tls = base_url, tls
        self._timeout_seconds = timeout_seconds
        self._slot_timeout_seconds = min(SLOT_TIMEOUT_SECONDS, timeout_seconds)
        self._max_connections = max_connections
        self._open()

    @classmethod
    def of(
        cls,
        settings: HttpSettings,
        base_url: str,
        *,
        timeout_seconds: float | None = None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> Self:
        """Create a client with the settings' TLS files, and their time-out unless another is given."""
        if timeout_seconds is None:
            timeout_seconds = settings.http_timeout_seconds
        tls = TlsFiles.of(settings)
        return cls(base_url, timeout_seconds=timeout_seconds, max_connections=max_connections, tls=tls)

    def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> HttpResponse:
        """Return the response of any status.

        ``target`` is the path with the query, percent-encoded. Raises UnknownOutcome, ServiceUnavailable if no
        connection becomes free, and ValueError if a header or the target would break the head of the request.
        """
        lines = _header_lines(target, headers, body)
        if os.getpid() != self._process_id:
            # Two processes must not write to one connection.
            _INHERITED.append(self._idle)
            self._open()
        deadline = monotonic() + self._timeout_seconds
        try:
            connection = self._idle.get(timeout=self._slot_timeout_seconds)
        except Empty:
            raise ServiceUnavailable from None
        try:
            # Never zero, which libcurl reads as no limit.
            remaining_seconds = max(deadline - monotonic(), 0.001)
            return connection.exchange(method, target, lines, body, remaining_seconds)
        except pycurl.error as error:
            raise UnknownOutcome from error
        finally:
            self._idle.put(connection)

    def _open(self) -> None:
        # Last in, first out: few connections stay in use rather than many that are seldom used.
        self._idle: LifoQueue[_Connection] = LifoQueue()
        for _ in range(self._max_connections):
            self._idle.put(_Connection(self._base_url, self._tls))
        self._process_id = os.getpid()


class _Connection:
    """A libcurl handle. It connects at the first exchange and keeps the connection; one thread at a time uses it."""

    def __init__(self, base_url: str, tls: TlsFiles | None) -> None:
        self._requests_sent = 0
        self._curl = curl = pycurl.Curl()
        curl.setopt(pycurl.URL, base_url)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        # The environment's proxies are for the outside.
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.MAXFILESIZE_LARGE, MAX_RESPONSE_BYTES)
        # Only the latest connection can be of use.
        curl.setopt(pycurl.MAXCONNECTS, 1)
        # Signals cannot interrupt a thread; libcurl's resolver thread honours the time-out without them.
        curl.setopt(pycurl.NOSIGNAL, 1)
        if tls is not None:
            _set_tls(curl, tls)

    def exchange(
        self, method: str, target: str, header_lines: list[bytes], body: bytes | None, timeout_seconds: float
    ) -> HttpResponse:
        """Return the response; raises pycurl.error."""
        curl = self._curl
        head: list[bytes] = []
        content: list[bytes] = []
        timeout_ms = math.ceil(timeout_seconds * 1000)
        curl.setopt(pycurl.TIMEOUT_MS, timeout_ms)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, min(int(CONNECT_TIMEOUT_SECONDS * 1000), timeout_ms))
        if body is None:
            curl.setopt(pycurl.HTTPGET, 1)
            curl.setopt(pycurl.NOBODY, method == "HEAD")
        else:
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(pycurl.CUSTOMREQUEST, method)
        curl.setopt(pycurl.REQUEST_TARGET, target)
        curl.setopt(pycurl.HTTPHEADER, header_lines)
        curl.setopt(pycurl.HEADERFUNCTION, head.append)
        curl.setopt(pycurl.WRITEFUNCTION, content.append)
        if method in _REPEATABLE:
            curl.unsetopt(pycurl.PREREQFUNCTION)
            curl.setopt(pycurl.FRESH_CONNECT, 0)
        else:
            self._requests_sent = 0
            curl.setopt(pycurl.PREREQFUNCTION, self._permit_once)
            curl.setopt(pycurl.FRESH_CONNECT, self._is_stale())
        curl.perform()
        return HttpResponse(curl.getinfo(pycurl.RESPONSE_CODE), _parse(head), b"".join(content))

    def _is_stale(self) -> bool:
        """Return whether the server has closed the kept connection: it is then readable.

        libcurl checks this too, but at most once per second.
        """
        descriptor = self._curl.getinfo(pycurl.ACTIVESOCKET)
        if descriptor < 0:
            return False
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return bool(poller.poll(0))

    def _permit_once(self, *_addresses: object) -> int:
        """Return whether libcurl may send the request on the connection that it has just chosen."""
        self._requests_sent += 1
        return pycurl.PREREQFUNC_OK if self._requests_sent == 1 else pycurl.PREREQFUNC_ABORT


def _set_tls(curl: pycurl.Curl, tls: TlsFiles) -> None:
    curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    curl.setopt(pycurl.SSL_VERIFYPEER, 1)
    curl.setopt(pycurl.SSL_VERIFYHOST, 2)
    curl.setopt(pycurl.CAINFO, str(tls.ca))
    if tls.certificate is not None and tls.key is not None:
        curl.setopt(pycurl.SSLCERT, str(tls.certificate))
        curl.setopt(pycurl.SSLKEY, str(tls.key))


def _header_lines(target: str, headers: Mapping[str, str], body: bytes | None) -> list[bytes]:
    """Return the headers in libcurl's notation; raises ValueError.

    ``name:`` removes a header that libcurl would add, and ``name;`` is one without a value.
    """
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
    lines += ["Accept:", "User-Agent:", "Expect:"]
    if body is not None and "Content-Type" not in headers:
        lines.append("Content-Type:")
    # A value that a client sent must not end a header line and start another.
    joined = "".join(lines)
    if "\n" in joined or "\r" in joined or "\0" in joined:
        raise ValueError("a header contains a line break or NUL")
    if not (target.isascii() and target.isprintable()) or " " in target:
        raise ValueError("the target is not percent-encoded")
    return [line.encode("latin-1") for line in lines]


def _parse(head: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in head:
        if line.startswith(b"HTTP/"):
            headers.clear()  # an interim response (RFC 9110, 15.2) came before this one
            continue
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    return headers
