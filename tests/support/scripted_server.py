"""A TCP or TLS server that runs a script on each connection, to send what no correct HTTP server would."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

_END_OF_HEAD: Final = b"\r\n\r\n"


class Peer:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket, server: "ScriptedServer", number: int) -> None:
        self._connection = connection
        self.server = server
        #: The number of the connection, from 1.
        self.number = number

    def read_request(self) -> bytes:
        """Return the next request, head and body; empty if the client closed the connection."""
        data = b""
        while _END_OF_HEAD not in data:
            received = self._connection.recv(65_536)
            if not received:
                return b""
            data += received
        head, _, body = data.partition(_END_OF_HEAD)
        length = next((int(v) for n, _, v in _fields(head) if n == b"content-length"), 0)
        while len(body) < length:
            body += self._connection.recv(65_536)
        request = head + _END_OF_HEAD + body
        self.server.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def drip(self, data: bytes, *, every_seconds: float) -> None:
        """Send the data byte by byte until the server stops."""
        for index in range(len(data)):
            self.send(data[index : index + 1])
            if self.server.stopping.wait(every_seconds):
                return


Script = Callable[[Peer], None]


class ScriptedServer:
    """Runs ``script`` once per connection, in a thread of its own, then closes the connection."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        #: The number of connections that were accepted.
        self.connections = 0
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for open_socket in (self._listener, *self._open):
            # Unlike ``close``, ``shutdown`` wakes a thread that waits in ``accept`` or ``recv``.
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
            assert not thread.is_alive()
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self.stopping.is_set():
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                self._open.append(connection)
                self.connections += 1
                self._start(self._serve, connection, self.connections)

    def _serve(self, connection: socket.socket, number: int) -> None:
        # Clients break connections off: an error of the socket is part of what is tested.
        with suppress(OSError), connection:
            self._script(Peer(connection, self, number))


def ok(body: bytes = b"", *headers: str) -> bytes:
    """Return a response with status 200."""
    return _response("200 OK", body, headers)


def _response(status: str, body: bytes, headers: tuple[str, ...]) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + _END_OF_HEAD + body


def serve_all(peer: Peer) -> None:
    """Respond 200 with the number of the connection to every request."""
    while peer.read_request():
        peer.send(ok(str(peer.number).encode()))


def _fields(head: bytes) -> list[tuple[bytes, bytes, bytes]]:
    return [
        (name.lower(), colon, value.strip())
        for name, colon, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    ]
