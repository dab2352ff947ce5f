"""The gateway's process: ``granian --interface wsgi --factory services.gateway.app:create_app``."""

from typing import Final

from flask import Flask

from common.http.server.app import create_service
from services.gateway import docs_page, routes, security_txt, web_app
from services.gateway.config import GatewaySettings
from services.gateway.context import Context
from services.gateway.cors import Cors
from services.gateway.error_format import ErrorFormat
from services.gateway.forwarding import VERSION_PREFIX

#: Default headers of every response. API responses are data and never a page.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
HSTS: Final = "max-age=31536000; includeSubDomains"


def create_app(settings: GatewaySettings | None = None) -> Flask:
    """Build the application from the environment's settings; connects to nothing yet."""
    settings = settings or GatewaySettings.load()
    context = Context.open(settings)
    secure = settings.public_url.startswith("https://")
    app = create_service(
        "gateway",
        settings,
        context,
        title="FastCheck",
        ready={},
        # Without it every request is verified by accounts, and rates are not limited.
        degraded_without={"cache": context.cache.ping},
        routes=[routes.api],
        short_routes=[("GET", "/balance"), ("POST", "/fastcheck"), ("POST", "/fastcheck/accept")],
        headers={**SECURITY_HEADERS, **({"Strict-Transport-Security": HSTS} if secure else {})},
    )
    app.register_blueprint(routes.api, url_prefix=VERSION_PREFIX, name="api_v1")
    app.add_url_rule(f"{VERSION_PREFIX}/healthz", view_func=app.view_functions["health.healthz"], endpoint="healthz_v1")
    docs_page.serve(app)
    security_txt.serve(app, settings)
    web_app.serve(app)
    app.wsgi_app = Cors(ErrorFormat(app.wsgi_app), settings.cors_origins)  # type: ignore[method-assign]
    return app
