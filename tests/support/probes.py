"""Requests to the operator port of a process, as an orchestrator or Prometheus makes them."""

import http.client
import json
from dataclasses import dataclass
from typing import Any, Final

HOST: Final = "127.0.0.1"
#: What a prober waits for an answer. A readiness probe takes 1.5 s if a dependency hangs.
TIMEOUT_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The status and the body of a response; status 0 if there was none in time."""

    status: int
    text: str = ""

    def json(self) -> Any:
        return json.loads(self.text)


def probe(port: int, path: str) -> Answer:
    """Send one GET request."""
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.read().decode())
    except OSError:
        return Answer(0)
    finally:
        connection.close()


def is_alive(port: int) -> bool:
    """Return whether a liveness probe succeeds."""
    return probe(port, "/healthz").status == 200


def is_ready(port: int) -> bool:
    """Return whether a readiness probe succeeds."""
    return probe(port, "/readyz").status == 200
