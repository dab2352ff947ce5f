"""The operator port of a process: ``/healthz``, ``/readyz`` and ``/metrics``, apart from what it serves to others."""

import json
import os
import socket
import threading
from collections.abc import Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, ClassVar, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector

from common import log_events
from common.core.logging import get_logger
from common.core.settings import OperatorPortSettings
from common.health import progress
from common.health.readiness import Readiness

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = get_logger(__name__)

#: Seconds until the next attempt to listen. A sibling or the predecessor of a restarted process may hold the port.
RETRY_SECONDS: Final = 1.0
#: Seconds for which a client may be silent.
CLIENT_TIMEOUT_SECONDS: Final = 5


def create_operator_app(readiness: Readiness, registry: CollectorRegistry | None = None) -> "WSGIApplication":
    """Return the WSGI application of the operator port; ``registry`` holds metrics beside those of the process."""
    metrics: WSGIApplication = make_wsgi_app(_all_metrics(registry))

    def operator_app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _respond(start_response, "405 Method Not Allowed", {"message": "only GET is supported"})
        match environ["PATH_INFO"]:
            case "/metrics":
                return metrics(environ, start_response)
            case "/healthz":
                return _respond(start_response, *_liveness())
            case "/readyz":
                return _respond(start_response, *_readiness(readiness))
            case _:
                paths = "this port serves /healthz, /readyz and /metrics"
                return _respond(start_response, "404 Not Found", {"message": paths})

    return operator_app


def serve(app: "WSGIApplication", settings: OperatorPortSettings) -> None:
    """Serve the application in a daemon thread. Without ``FASTCHECK_METRICS_PORT``, do nothing."""
    if settings.metrics_port is not None:
        arguments = (app, settings.metrics_host, settings.metrics_port)
        threading.Thread(target=_serve_forever, args=arguments, name="operator-port", daemon=True).start()


def _liveness() -> tuple[str, dict[str, Any]]:
    stalled = progress.stalled()
    return ("503 Service Unavailable", {"status": "stalled", "stalled": stalled}) if stalled else _OK


_OK: Final[tuple[str, dict[str, Any]]] = ("200 OK", {"status": "ok"})


def _readiness(readiness: Readiness) -> tuple[str, dict[str, Any]]:
    """A process that is not alive is not ready either."""
    code, liveness = _liveness()
    if code != _OK[0]:
        return code, liveness
    status, responds = readiness.report()
    body = {
        "status": status,
        "checks": {name: "ok" if answered else "does not answer" for name, answered in responds.items()},
    }
    return "503 Service Unavailable" if status == "unavailable" else "200 OK", body


def _respond(start_response: "StartResponse", code: str, body: dict[str, Any]) -> Iterable[bytes]:
    content = json.dumps(body).encode()
    start_response(code, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]


def _all_metrics(registry: CollectorRegistry | None) -> CollectorRegistry:
    found = CollectorRegistry()
    if progress.MULTIPROCESS_VARIABLE in os.environ:
        MultiProcessCollector(found)  # type: ignore[no-untyped-call]
    else:
        found.register(REGISTRY)
    if registry is not None:
        found.register(registry)
    return found


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)


class _Handler(WSGIRequestHandler):
    timeout: ClassVar[int] = CLIENT_TIMEOUT_SECONDS

    def log_message(self, *_arguments: object) -> None:
        """Write no line for a probe."""


def _serve_forever(app: "WSGIApplication", host: str, port: int) -> None:
    with _listen(host, port) as server:
        server.set_app(app)
        server.serve_forever()


def _listen(host: str, port: int) -> _Server:
    """Wait until the port is free. Workers of one web process share the port: one listens, the others take over."""
    waiter, is_logged = threading.Event(), False
    while True:
        try:
            return _Server(host, port)
        except OSError as error:
            if not is_logged and progress.MULTIPROCESS_VARIABLE not in os.environ:
                log.warning(log_events.OPERATOR_PORT_UNAVAILABLE, host=host, port=port, error=error.strerror)
                is_logged = True
            waiter.wait(RETRY_SECONDS)
