"""A stub of the gateway behind its proxies: it records what reaches it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.serving import WSGIRequestHandler, make_server


class StubGateway:
    """Answer requests with the number of bytes of their body; hold those for ``/held`` until ``release`` is set."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.requests: list[WSGIEnvironment] = []
        self.held = 0
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        with self._lock:
            self.requests.append(environ)
            self.held += environ["PATH_INFO"] == "/held"
        if environ["PATH_INFO"] == "/held":
            self.release.wait(60)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        size = str(len(body)).encode()
        start_response("200 OK", [("Content-Length", str(len(size)))])
        return [size]


class _Http11(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_arguments: object) -> None:
        """Log nothing."""


@contextmanager
def serving(gateway: StubGateway) -> Iterator[int]:
    """Serve the stub; yield its port."""
    server = make_server("127.0.0.1", 0, gateway, threaded=True, request_handler=_Http11)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
