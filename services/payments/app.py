"""The web process of payments: ``granian --interface wsgi --factory services.payments.app:create_app``."""

from collections.abc import Mapping

from flask_openapi3.openapi import OpenAPI

from common.http.server.app import create_web_app
from common.http.server.context import provide
from common.http.server.identity import TokenVerifier
from services.payments import operator_routes, routes
from services.payments.banks.base import Bank
from services.payments.config import PaymentsSettings
from services.payments.context import Context


def create_app(settings: PaymentsSettings | None = None, banks: Mapping[str, Bank] | None = None) -> OpenAPI:
    """Build the application from the environment's settings; connects to nothing yet."""
    settings = settings or PaymentsSettings.load()
    context = Context.open(settings, "payments-web", banks)
    app = create_web_app(
        "payments",
        settings,
        title="FastCheck payments",
        verifier=TokenVerifier("payments", settings.token_public_keys),
        ready={"database": context.db.ping},
    )
    provide(app, context)
    app.register_api(routes.public)
    app.register_api(routes.banks)
    app.register_api(operator_routes.internal)
    return app
