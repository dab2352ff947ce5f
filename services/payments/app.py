"""The web process of payments: ``granian --interface wsgi --factory services.payments.app:create_app``."""

from collections.abc import Mapping

from flask_openapi3.openapi import OpenAPI

from common.http.server.app import create_service
from services.payments.banks.base import Bank
from services.payments.config import PaymentsSettings
from services.payments.context import Context
from services.payments.followers import routes as followers
from services.payments.notifications import routes as notifications
from services.payments.polling import routes as polling
from services.payments.reconciliation import routes as reconciliation
from services.payments.refunds import routes as refunds
from services.payments.topups import routes as topups


def create_app(settings: PaymentsSettings | None = None, banks: Mapping[str, Bank] | None = None) -> OpenAPI:
    """Build the application from the environment's settings; connects to nothing yet."""
    settings = settings or PaymentsSettings.load()
    context = Context.open(settings, "payments-web", banks)
    app = create_service(
        "payments", settings, context, ready={"database": context.db.ping}, routes=[topups.public, notifications.banks]
    )
    for capability in (topups, polling, notifications, refunds, reconciliation, followers):
        app.register_api(capability.internal)
    return app
