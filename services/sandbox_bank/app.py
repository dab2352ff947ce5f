"""The web process of the sandbox bank: ``granian --interface wsgi --factory services.sandbox_bank.app:create_app``."""

from flask_openapi3.openapi import OpenAPI

from common.http.server.app import create_service
from services.sandbox_bank import routes
from services.sandbox_bank.config import SandboxBankSettings
from services.sandbox_bank.context import Context
from services.sandbox_bank.delivery import Deliverer
from services.sandbox_bank.protocols import sber_api, tbank_api, yookassa_api


def create_app(settings: SandboxBankSettings | None = None) -> OpenAPI:
    """Create the application without connecting. Its first request starts the delivery thread."""
    settings = settings or SandboxBankSettings.load()
    context = Context.open(settings)
    app = create_service(
        "sandbox_bank",
        settings,
        context,
        ready={"database": context.db.ping},
        routes=[routes.pages, routes.admin, tbank_api.api, yookassa_api.api, sber_api.api],
    )
    deliverer = Deliverer(context)
    # The readiness probe is a request too, so delivery resumes after a restart without traffic.
    app.before_request(deliverer.ensure_running)
    app.extensions["deliverer"] = deliverer
    return app
