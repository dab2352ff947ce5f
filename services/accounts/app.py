"""The web process of accounts: ``granian --interface wsgi --factory services.accounts.app:create_app``."""

from flask_openapi3.openapi import OpenAPI

from common.http.server.app import create_service
from services.accounts import routes
from services.accounts.config import AccountsSettings
from services.accounts.context import Context


def create_app(settings: AccountsSettings | None = None) -> OpenAPI:
    """Build the application from the environment's settings; connects to nothing yet."""
    settings = settings or AccountsSettings.load()
    context = Context.open(settings, "accounts-web")
    return create_service(
        "accounts", settings, context, ready={"database": context.db.ping}, routes=[routes.public, routes.internal]
    )
