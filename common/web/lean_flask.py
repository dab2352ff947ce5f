"""Flask without what no API of ours uses: sessions in cookies, coroutines, host names and subdomains.

Each costs a request something although it is not there. Under load a third to a half of what a web process computes is
Flask's (``python -m benchmarks.profiling``), so it is worth saying no to each by the hook that Flask has for it.
"""

from collections.abc import Callable
from typing import Any, Final

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface, SessionMixin
from flask_openapi3.openapi import OpenAPI
from werkzeug.routing import MapAdapter


class _NoSessions(SessionInterface):
    """Who is calling stands in the ``Authorization`` header, and nowhere else."""

    _nobodys: Final = NullSession()

    def open_session(self, app: Flask, request: Request) -> SessionMixin:  # noqa: ARG002
        return self._nobodys


class LeanFlask(OpenAPI):
    """The application class of every service."""

    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view is a coroutine; Flask looks at each function before each call."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Routes are told apart by path and method alone, whatever host the client thinks that he speaks to."""
        if request is None:
            return None
        environ = request.environ
        return MapAdapter(
            self.url_map,
            server_name="",
            script_name="/",
            subdomain="",
            url_scheme="http",
            # WSGI gives it decoded as Latin-1 (PEP 3333).
            path_info=environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
            default_method=environ["REQUEST_METHOD"],
            query_args=environ["QUERY_STRING"],
        )
