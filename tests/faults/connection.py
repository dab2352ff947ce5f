"""One keep-alive HTTP connection without retries, redirects or interpretation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3


class NoResponse(Exception):
    """No complete response arrived: the outcome of the request is unknown."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """``body`` is the parsed JSON or None."""

    status: int
    headers: urllib3.HTTPHeaderDict
    text: str
    body: Any


class Connection:
    """A connection to one server, for one thread at a time. It is opened on demand, and again after it was lost."""

    def __init__(self, url: str) -> None:
        self._pool = urllib3.connection_from_url(url, maxsize=1, block=False)

    def request(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float,
    ) -> HttpResponse:
        """Send one request; raise NoResponse without a complete response. A body that is no text is sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, str):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **headers}
        try:
            response = self._pool.urlopen(
                method, target, body, headers, retries=False, redirect=False, timeout=timeout_seconds
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise NoResponse(type(error).__name__) from error
        is_json = response.headers.get("content-type", "").startswith("application/json")
        text = response.data.decode("utf-8", errors="replace")
        return HttpResponse(response.status, response.headers, text, json.loads(text) if is_json and text else None)

    def close(self) -> None:
        self._pool.close()
