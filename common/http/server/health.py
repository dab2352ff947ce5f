"""``/healthz`` beside a service's own routes: the process serves requests. The operator port says more."""

from typing import Final

from flask import Blueprint, Response, jsonify

from common.http.server.endpoint import unauthenticated

#: Writes no log line.
ROUTE: Final = "/healthz"


def blueprint() -> Blueprint:
    """Return the route of ``/healthz``."""
    routes = Blueprint("health", __name__)

    @routes.get(ROUTE)
    @unauthenticated
    def healthz() -> Response:
        return jsonify(status="ok")

    return routes
