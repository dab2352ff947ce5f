"""Requests as bytes on a socket, which no client library would send."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class RawResponse:
    """The first response on a connection; ``status`` is 0 if the server closed it without one."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def exchange(url: str, request: bytes, *, end: bool = False) -> RawResponse:
    """Send bytes to the server at ``url`` and return its first response. ``end`` closes the sending side after them."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(request)
        if end:
            connection.shutdown(socket.SHUT_WR)
        return read_response(connection)


def read_response(connection: socket.socket) -> RawResponse:
    """Read one response with a ``Content-Length``; raises TimeoutError."""
    with connection.makefile("rb") as stream:
        try:
            status_line = stream.readline()
        except ConnectionResetError:
            status_line = b""
        if not status_line:
            return RawResponse(0, {}, b"")
        headers = {}
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", "0")))
    return RawResponse(int(status_line.split()[1]), headers, body)


def message(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return an HTTP/1.1 request; ``X_Y="z"`` becomes the header ``X-Y: z``, and ``Content-Length`` is added."""
    fields = {"Host": "fastcheck.test", "Content-Length": str(len(body))}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
