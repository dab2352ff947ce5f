"""The web process of checks: ``granian --interface wsgi --factory services.checks.app:create_app``."""

from flask_openapi3.openapi import OpenAPI

from common.http.server.app import create_web_app
from common.http.server.context import provide
from common.http.server.identity import TokenVerifier
from services.checks.codes import routes as codes
from services.checks.config import ChecksSettings
from services.checks.context import Context
from services.checks.lifecycle import routes as lifecycle
from services.checks.lists import routes as lists


def create_app(settings: ChecksSettings | None = None) -> OpenAPI:
    """Build the application from the environment's settings; connects to nothing yet."""
    settings = settings or ChecksSettings.load()
    context = Context.open(settings, "checks-web")
    app = create_web_app(
        "checks",
        settings,
        title="FastCheck checks",
        verifier=TokenVerifier("checks", settings.token_public_keys),
        ready={"database": context.db.ping},
    )
    provide(app, context)
    for capability in (lifecycle, codes, lists):
        app.register_api(capability.public)
    return app
