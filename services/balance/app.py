"""The web process of balance: ``granian --interface wsgi --factory services.balance.app:create_app``."""

from typing import Final

from flask_openapi3.openapi import OpenAPI

from common.http.server.app import create_service
from services.balance import routes
from services.balance.config import BalanceSettings
from services.balance.context import Context

#: Balance answers these for every read and write of a user.
SHORT_ROUTES: Final = (
    ("GET", "/balance"),
    ("POST", "/internal/holds"),
    ("POST", "/internal/holds:batch"),
    ("POST", "/internal/settlements"),
    ("POST", "/internal/settlements:batch"),
    ("POST", "/internal/releases"),
)


def create_app(settings: BalanceSettings | None = None) -> OpenAPI:
    """Build the application from the environment's settings; connects to nothing yet."""
    settings = settings or BalanceSettings.load()
    context = Context.open(settings, "balance-web")
    return create_service(
        "balance",
        settings,
        context,
        ready={"database": context.db.ping},
        routes=[routes.public, routes.internal],
        short_routes=SHORT_ROUTES,
    )
