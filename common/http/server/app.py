"""The Flask application that every service starts from: errors, health, metrics, its own document."""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from flask import Response, current_app, jsonify
from flask_openapi3.models.info import Info
from flask_openapi3.models.security_scheme import SecurityScheme
from flask_openapi3.openapi import OpenAPI

from common.core.logging import configure_logging
from common.core.settings import Settings
from common.http.server import health, metrics
from common.http.server.exchange import MAX_BODY_BYTES
from common.http.server.failures import answer_to
from common.http.server.identity import TokenVerifier, anybody
from common.http.server.lean_flask import LeanFlask
from common.http.server.schemas import ErrorBody

API_VERSION: Final = "1.0.0"

SECURITY_SCHEMES: Final[dict[str, SecurityScheme | dict[str, Any]]] = {
    "session": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": 'The JSON object `{"sessionID": "<32 upper-case hex digits>"}`, or `Bearer <sessionID>`.',
    }
}


def create_web_app(
    service: str,
    settings: Settings,
    *,
    title: str,
    verifier: TokenVerifier | None,
    ready: Mapping[str, Callable[[], None]],
    headers: Mapping[str, str] | None = None,
) -> OpenAPI:
    """An application with nothing but what all have in common.

    ``verifier`` is None only for a service that takes no calls of other services. ``ready`` names the
    checks of ``/readyz``; each raises when its part does not answer. ``headers`` are on every answer that has no
    word of its own for them.
    """
    configure_logging(service, settings.log_level)
    app = LeanFlask(
        f"services.{service}",
        info=Info(title=title, version=API_VERSION),
        security_schemes=SECURITY_SCHEMES,
        validation_error_status=400,
        validation_error_model=ErrorBody,
        doc_ui=False,
        static_folder=None,
    )
    app.common_headers = dict(headers or {})
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    if verifier is not None:
        app.extensions["token_verifier"] = verifier
        app.add_url_rule("/openapi.json", view_func=_own_document)
    app.register_error_handler(Exception, answer_to)
    app.register_blueprint(health.blueprint(ready))
    app.register_blueprint(metrics.blueprint())
    return app


@anybody
def _own_document() -> Response:
    """The service's own OpenAPI document; the gateway makes one of all of them."""
    return jsonify(cast("OpenAPI", current_app).api_doc)
