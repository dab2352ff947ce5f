"""One keep-alive HTTP connection without retries or interpretation."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit


class Silence(Exception):
    """No response arrived: the outcome of the request is unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is the parsed JSON or None; header names are in lower case."""

    status: int
    headers: dict[str, str]
    text: str
    body: Any


class Wire:
    """A connection to one server, for one thread at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._connection: HTTPConnection | None = None

    def request(
        self,
        method: str,
        target: str,
        *,
        headers: dict[str, str],
        body: str | None = None,
        timeout_seconds: float,
    ) -> Answer:
        """Send one request; raise Silence without a response."""
        connection = self._connection or HTTPConnection(self._host, self._port)
        self._connection = None
        connection.timeout = timeout_seconds
        try:
            if connection.sock is not None:
                connection.sock.settimeout(timeout_seconds)
            connection.request(method, target, body=body.encode() if body is not None else None, headers=headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", errors="replace")
        except (OSError, HTTPException) as error:
            connection.close()
            raise Silence(type(error).__name__) from error
        if response.will_close:
            connection.close()
        else:
            self._connection = connection
        found = {name.lower(): value for name, value in response.getheaders()}
        is_json = found.get("content-type", "").startswith("application/json")
        return Answer(response.status, found, text, json.loads(text) if is_json and text else None)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
