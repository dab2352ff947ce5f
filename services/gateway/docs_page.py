"""``/openapi.json`` and ``/docs``: the API's document, and Swagger UI to read it and try requests.

Swagger UI is served from its package: the page fetches nothing from other hosts and has no inline code.
"""

from importlib.resources import files
from pathlib import Path
from typing import Final

from flask import Blueprint, Flask, Response, request

from common.core.errors import NotFound
from common.http.server.endpoint import unauthenticated
from services.gateway.context import Context
from services.gateway.forwarding import VERSION_PREFIX
from services.gateway.static_files import IMMUTABLE, REVALIDATE, Folder, StaticFile
from services.gateway.web_app import HEADERS as PAGE_HEADERS

SWAGGER_FOLDER: Final = Path(str(files("flask_openapi3_swagger"))) / "templates" / "swagger"

#: The strictest policy with which Swagger UI works: its icons are data URLs, and it builds HTML from texts.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {**PAGE_HEADERS, "Content-Security-Policy": POLICY}

_PAGE: Final = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>FastCheck API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/docs/__RELEASE__/css/swagger-ui.css">
    <script src="/docs/__RELEASE__/js/swagger-ui-bundle.js" defer></script>
    <script src="/docs/__RELEASE__/start.js" defer></script>
  </head>
  <body>
    <div id="document"></div>
    <noscript>This page needs JavaScript. The document: <a href="/openapi.json">/openapi.json</a></noscript>
  </body>
</html>
"""

_START: Final = """'use strict';
SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#document',
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
});
"""


def serve(app: Flask) -> None:
    """Read Swagger UI and register the routes."""
    folder = Folder.load(SWAGGER_FOLDER)
    page = StaticFile.of(_PAGE.replace("__RELEASE__", folder.release).encode(), ".html")
    assets = {**folder.files, "start.js": StaticFile.of(_START.encode(), ".js")}
    routes = Blueprint("docs_page", __name__)

    @routes.get("/openapi.json")
    @routes.get(f"{VERSION_PREFIX}/openapi.json")
    @unauthenticated
    def document(context: Context) -> Response:
        """Public: any site may read it, so that its tools can."""
        response = Response(context.document.body(), mimetype="application/json")
        response.headers["Cache-Control"] = REVALIDATE
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.add_etag()
        response.make_conditional(request)
        return response

    @routes.get("/docs")
    @unauthenticated
    def docs() -> Response:
        return page.response(REVALIDATE, HEADERS)

    @routes.get("/docs/<release>/<path:name>")
    @unauthenticated
    def asset(release: str, name: str) -> Response:
        if release != folder.release or name not in assets:
            raise NotFound
        return assets[name].response(IMMUTABLE, HEADERS)

    app.register_blueprint(routes)
