"""The web process of checks: ``granian --interface wsgi --factory services.checks.app:create_app``."""

from flask_openapi3.openapi import OpenAPI

from common.http.server.app import create_service
from services.checks.codes import routes as codes
from services.checks.config import ChecksSettings
from services.checks.context import Context
from services.checks.followers import routes as followers
from services.checks.lifecycle import routes as lifecycle
from services.checks.lists import routes as lists


def create_app(settings: ChecksSettings | None = None) -> OpenAPI:
    """Build the application from the environment's settings; connects to nothing yet."""
    settings = settings or ChecksSettings.load()
    context = Context.open(settings, "checks-web")
    return create_service(
        "checks",
        settings,
        context,
        ready={"database": context.db.ping},
        routes=[lifecycle.public, lifecycle.guests, codes.public, lists.public, followers.internal],
        short_routes=[("POST", "/fastcheck"), ("POST", "/fastcheck/accept")],
    )
