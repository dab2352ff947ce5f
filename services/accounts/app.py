"""The web process of accounts: ``granian --interface wsgi --factory services.accounts.app:create_app``."""

from flask_openapi3.openapi import OpenAPI

from common.http.server.app import create_web_app
from common.http.server.context import provide
from common.http.server.identity import TokenVerifier
from services.accounts import routes
from services.accounts.config import AccountsSettings
from services.accounts.context import Context


def create_app(settings: AccountsSettings | None = None) -> OpenAPI:
    """Build the application from the environment's settings; connects to nothing yet."""
    settings = settings or AccountsSettings.load()
    context = Context.open(settings, "accounts-web")
    app = create_web_app(
        "accounts",
        settings,
        title="FastCheck accounts",
        verifier=TokenVerifier("accounts", settings.token_public_keys),
        ready={"database": context.db.ping},
    )
    provide(app, context)
    app.register_api(routes.public)
    app.register_api(routes.internal)
    return app
