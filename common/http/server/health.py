"""``/healthz``: the process lives. ``/readyz``: what it needs answers."""

from collections.abc import Callable, Mapping
from typing import Final

from flask import Blueprint, Response, jsonify

from common.core.logging import get_logger
from common.http.server.endpoint import unauthenticated

log = get_logger(__name__)

QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})


def blueprint(ready: Mapping[str, Callable[[], None]]) -> Blueprint:
    """The two routes, with the named checks behind the second."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    @unauthenticated
    def healthz() -> Response:
        return jsonify(status="ok")

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
    except Exception as error:  # noqa: BLE001  whatever it is, it is the answer to the question
        log.warning("readiness check failed", check=name, error=type(error).__name__)
        return False
    return True
