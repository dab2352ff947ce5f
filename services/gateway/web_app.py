"""Serve the web app of ``web/``: its files below the release's hash, its single page at each of its addresses."""

from pathlib import Path
from typing import Final

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import NotFound as NoSuchRoute

from common.core.errors import NotFound
from common.http.server.endpoint import unauthenticated
from common.http.server.error_rendering import flask_error
from services.gateway.static_files import IMMUTABLE, REVALIDATE, Folder, StaticFile

WEB_FOLDER: Final = Path(__file__).parent / "web"

#: The page, and its placeholder for the release.
PAGE: Final = "index.html"
PLACEHOLDER: Final = b"__RELEASE__"

#: Where the app's pages are. Which page it is, the app itself reads from the address.
ADDRESSES: Final = (
    "/",
    "/sign-in",
    "/join",
    "/accept",
    "/write",
    "/checks/<number>",
    "/top-up",
    "/top-up/<transaction>",
    "/history",
    "/statement",
    "/account",
)

#: Our own files and nothing else: no code in the page, no HTML out of text, no form that a browser sends, no frame.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def serve(app: Flask) -> None:
    """Read the web app and register its routes."""
    folder = Folder.load(WEB_FOLDER)
    page = StaticFile.of((WEB_FOLDER / PAGE).read_bytes().replace(PLACEHOLDER, folder.release.encode()), ".html")
    app.register_blueprint(_blueprint(folder, page))

    def no_such_route(_error: NoSuchRoute) -> Response:
        """Respond 404: with the app's page to a browser, with JSON to other clients."""
        preferred = request.accept_mimetypes.best_match(["application/json", "text/html"])
        if request.method == "GET" and preferred == "text/html":
            return page.response(REVALIDATE, HEADERS, status=404)
        return flask_error(NotFound())

    app.register_error_handler(NoSuchRoute, no_such_route)


def _blueprint(folder: Folder, page: StaticFile) -> Blueprint:
    routes = Blueprint("web_app", __name__)

    @unauthenticated
    def show_page(**_path: str) -> Response:
        return page.response(REVALIDATE, HEADERS)

    for address in ADDRESSES:
        routes.add_url_rule(address, "show_page", show_page)

    @routes.get("/assets/<release>/<path:name>")
    @unauthenticated
    def asset(release: str, name: str) -> Response:
        file = folder.files.get(name)
        if release != folder.release or file is None or name == PAGE:
            raise NotFound
        return file.response(IMMUTABLE, HEADERS)

    return routes
