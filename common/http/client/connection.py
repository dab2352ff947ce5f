"""One persistent HTTP/1.1 connection between services (RFC 9112).

Both ends are FastCheck's own, so this implements only what they use and rejects the rest: a response has a
``Content-Length`` or no body. ``http.client`` parses headers as e-mail, which cost more than the rest of a hop.
"""

import select
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_RESPONSE_BYTES: Final = 8 * 1024 * 1024
MAX_HEAD_BYTES: Final = 64 * 1024
_CHUNK: Final = 64 * 1024
_END_OF_HEAD: Final = b"\r\n\r\n"


class ProtocolError(Exception):
    """The server closed the connection within a response, or sent an unsupported one."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete response; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpConnection:
    """A connection. After an exception it must be closed: unread data may remain on it."""

    def __init__(self, host: str, port: int, *, connect_timeout_seconds: float, timeout_seconds: float) -> None:
        """Connect; raises OSError."""
        self._host = host
        self._socket = socket.create_connection((host, port), timeout=connect_timeout_seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Socket time-outs of the kernel: Python's own would add a system call to each send and receive.
        whole, part = divmod(timeout_seconds, 1)
        limit = struct.pack("ll", int(whole), max(int(part * 1_000_000), 0 if whole else 1))
        self._socket.setblocking(True)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._poller = select.poll()
        self._poller.register(self._socket, select.POLLIN | select.POLLHUP | select.POLLERR)

    def is_stale(self) -> bool:
        """Return whether the server has closed the idle connection: it is then readable (urllib3's test)."""
        return bool(self._poller.poll(0))

    def close(self) -> None:
        self._socket.close()

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[HttpResponse, bool]:
        """Return the response and whether the connection can be reused; raises OSError and ProtocolError."""
        self._socket.sendall(self._request(method, target, headers, body))
        head, rest = self._read_head()
        status, response_headers = _parse(head)
        length = _body_length(method, status, response_headers)
        content = self._read_body(rest, length)
        keep = response_headers.get("connection", "").lower() != "close"
        return HttpResponse(status, response_headers, content), keep

    def _request(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines)
        # A value that a client sent must not end a header line and start another.
        if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or " " in target:
            raise ValueError("a header or the target contains a line break or a space")
        return head.encode("latin-1") + _END_OF_HEAD + (body or b"")

    def _read_head(self) -> tuple[bytes, bytes]:
        data = b""
        while (end := data.find(_END_OF_HEAD)) < 0:
            if len(data) > MAX_HEAD_BYTES:
                raise ProtocolError("the response head is too large")
            data += self._read_some()
        return data[:end], data[end + len(_END_OF_HEAD) :]

    def _read_body(self, data: bytes, length: int) -> bytes:
        if len(data) < length:
            parts = [data]
            missing = length - len(data)
            while missing > 0:
                parts.append(self._read_some())
                missing -= len(parts[-1])
            data = b"".join(parts)
        if len(data) != length:
            raise ProtocolError("there is more than one response")
        return data

    def _read_some(self) -> bytes:
        data = self._socket.recv(_CHUNK)
        if not data:
            raise ProtocolError("the server closed the connection within its response")
        return data


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    version, _, rest = lines[0].partition(" ")
    if version != "HTTP/1.1" or not rest[:3].isdigit():
        raise ProtocolError("the response is not HTTP/1.1")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(rest[:3]), headers


def _body_length(method: str, status: int, headers: Mapping[str, str]) -> int:
    if method == "HEAD" or status in (204, 304):
        return 0
    length = headers.get("content-length", "")
    if not length.isdigit() or "transfer-encoding" in headers or status < 200:
        raise ProtocolError("the response has no valid Content-Length")
    if int(length) > MAX_RESPONSE_BYTES:
        raise ProtocolError("the response body is too large")
    return int(length)
