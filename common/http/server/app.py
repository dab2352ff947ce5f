"""Create the web application of a service: its routes, and what all services have in common.

Common are error rendering, ``/healthz``, the operator port and the service's own OpenAPI document.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, cast

from flask import Blueprint, current_app, jsonify
from flask import Response as FlaskResponse
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.info import Info
from flask_openapi3.models.security_scheme import SecurityScheme
from flask_openapi3.openapi import OpenAPI

from common.core.logging import configure_logging
from common.core.settings import Settings
from common.health import operator_port, progress
from common.health.readiness import Check, Readiness
from common.http.server import health
from common.http.server.endpoint import unauthenticated
from common.http.server.error_rendering import flask_error
from common.http.server.exchange import Exchange
from common.http.server.identity import TokenVerifier
from common.http.server.request import MAX_BODY_BYTES
from common.http.server.schemas import ErrorBody
from common.http.server.short_path import Route, ShortPath

API_VERSION: Final = "1.0.0"

SECURITY_SCHEMES: Final[dict[str, SecurityScheme | dict[str, Any]]] = {
    "session": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": 'The JSON object `{"sessionID": "<32 upper-case hex digits>"}`, or `Bearer <sessionID>`.',
    }
}


def create_service(
    service: str,
    settings: Settings,
    context: object,
    *,
    ready: Mapping[str, Check],
    degraded_without: Mapping[str, Check] | None = None,
    routes: Sequence[Blueprint | APIBlueprint] = (),
    title: str | None = None,
    headers: Mapping[str, str] | None = None,
    short_routes: Collection[Route] = (),
) -> OpenAPI:
    """Create a service's application, and serve its operator port; connects to nothing yet.

    ``context`` is passed to views that declare it. ``ready`` names the checks of ``/readyz``; each raises if its
    dependency is unavailable. Without those of ``degraded_without`` the process still serves. ``headers`` are added to
    every response that does not set them itself. ``short_routes`` are answered without Flask, see ``short_path``.
    Callers' tokens are verified if the settings are ``CallerSettings``.
    """
    configure_logging(service, settings.log_level)
    app = OpenAPI(
        f"services.{service}",
        info=Info(title=title or f"FastCheck {service.replace('_', ' ')}", version=API_VERSION),
        security_schemes=SECURITY_SCHEMES,
        validation_error_status=400,
        validation_error_model=ErrorBody,
        doc_ui=False,
        static_folder=None,
    )
    exchange = Exchange(app, headers or {})
    exchange.register()
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions["context"] = context
    public_keys = getattr(settings, "token_public_keys", None)
    if public_keys is not None:
        app.extensions["token_verifier"] = TokenVerifier(service, public_keys)
        app.add_url_rule("/openapi.json", view_func=_own_document)
    app.register_error_handler(Exception, flask_error)
    app.register_blueprint(health.blueprint())
    operator_app = operator_port.create_operator_app(Readiness(ready, degraded_without))
    app.extensions["operator_app"] = operator_app
    operator_port.serve(operator_app, settings)
    progress.report_as_worker(settings.stalled_after_seconds)
    for blueprint in routes:
        if isinstance(blueprint, APIBlueprint):
            app.register_api(blueprint)
        else:
            app.register_blueprint(blueprint)
    if short_routes:
        short_path = ShortPath(app, exchange, short_routes)
        app.extensions["short_path"] = short_path
        app.wsgi_app = short_path  # type: ignore[method-assign]
    return app


@unauthenticated
def _own_document() -> FlaskResponse:
    """Return the service's own OpenAPI document, which the gateway merges with those of the other services."""
    return jsonify(cast("OpenAPI", current_app).api_doc)
