"""The address of a client, directly or behind the operator's proxy."""

from typing import TYPE_CHECKING

from common.core.addresses import canonical_address
from common.core.errors import InvalidRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def client_address(environ: "WSGIEnvironment", header: str) -> str:
    """Return the client's IP address in canonical form; raises InvalidRequest if it is ambiguous.

    ``header`` is the name of the header that the operator's proxy sets; empty means that clients connect directly. The
    proxy must replace the client's own header of that name. Its value is one address: a second header, which the
    server joins with a comma, and a value that is not ASCII, which the server empties, are rejected, never ignored.
    """
    if not header:
        peer = str(environ.get("REMOTE_ADDR", ""))
        return canonical_address(peer) or peer
    address = canonical_address(str(environ.get(f"HTTP_{header.upper()}", "")).strip())
    if address is None:
        raise InvalidRequest("the address of the client is unknown: the request must come through the proxy")
    return address
