"""``/healthz``: the process is alive. ``/readyz``: its dependencies respond."""

from collections.abc import Callable, Mapping
from typing import Final

from flask import Blueprint, Response, jsonify

from common import log_events
from common.core.logging import get_logger
from common.http.server import metrics
from common.http.server.endpoint import unauthenticated

log = get_logger(__name__)

QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})


def blueprint() -> Blueprint:
    """Return the route of ``/healthz``."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    @unauthenticated
    def healthz() -> Response:
        return jsonify(status="ok")

    return routes


def operators_blueprint(ready: Mapping[str, Callable[[], None]]) -> Blueprint:
    """Return ``/readyz`` and ``/metrics``.

    ``ready`` holds the checks of ``/readyz`` by name, each of which raises on failure.
    """
    routes = Blueprint("operators", __name__)
    routes.add_url_rule("/metrics", view_func=metrics.render_metrics)

    @routes.get("/readyz")
    @unauthenticated
    def readyz() -> tuple[Response, int]:
        answers = {name: _answers(name, check) for name, check in ready.items()}
        ok = all(answers.values())
        body = {name: "ok" if answered else "does not answer" for name, answered in answers.items()}
        return jsonify(status="ok" if ok else "unavailable", checks=body), 200 if ok else 503

    return routes


def _answers(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception as error:  # noqa: BLE001  any exception means not ready
        log.warning(log_events.READINESS_CHECK_FAILED, check=name, error=type(error).__name__)
        return False
    return True
