"""The web process of webhooks: ``granian --interface wsgi --factory services.webhooks.app:create_app``."""

from flask_openapi3.openapi import OpenAPI

from common.http.server.app import create_service
from services.webhooks import routes
from services.webhooks.config import WebhooksSettings
from services.webhooks.context import Context


def create_app(settings: WebhooksSettings | None = None) -> OpenAPI:
    """Build the application from the environment's settings; connects to nothing yet."""
    settings = settings or WebhooksSettings.load()
    context = Context.open(settings, "webhooks-web")
    return create_service("webhooks", settings, context, ready={"database": context.db.ping}, routes=[routes.public])
