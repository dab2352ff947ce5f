"""The web process of balance: ``granian --interface wsgi --factory services.balance.app:create_app``."""

from flask_openapi3.openapi import OpenAPI

from common.http.server.app import create_web_app
from common.http.server.context import provide
from common.http.server.identity import TokenVerifier
from services.balance import routes
from services.balance.config import BalanceSettings
from services.balance.context import Context


def create_app(settings: BalanceSettings | None = None) -> OpenAPI:
    """Build the application from the environment's settings; connects to nothing yet."""
    settings = settings or BalanceSettings.load()
    context = Context.open(settings, "balance-web")
    app = create_web_app(
        "balance",
        settings,
        title="FastCheck balance",
        verifier=TokenVerifier("balance", settings.token_public_keys),
        ready={"database": context.db.ping},
    )
    provide(app, context)
    app.register_api(routes.public)
    app.register_api(routes.internal)
    return app
