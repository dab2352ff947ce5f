"""HAProxy before the gateway: its configuration, and the environment variables that this needs."""

from pathlib import Path
from typing import Final

CONFIGURATION: Final = Path(__file__).with_name("haproxy.cfg")

#: The header in which the proxy sends the client's address to the gateway.
ADDRESS_HEADER: Final = "ClientAddress"

#: Concurrent requests that the proxy sends to one gateway: fewer than the gateway's threads, with a few for probes.
GATEWAY_REQUESTS: Final = 48
NOTIFICATIONS: Final = 12

#: More than a browser opens. Users behind one shared address need many.
CONNECTIONS_PER_ADDRESS: Final = 256


def environment(
    *,
    listen: str,
    operator_listen: str,
    gateway: str,
    edge_listen: str = "",
    client_address_header: str = "",
    replicas: int = 1,
) -> dict[str, str]:
    """Return the variables of the configuration; each address is ``host:port``.

    ``replicas`` is the number of gateways that share the address ``gateway``.
    """
    return {
        "PROXY_LISTEN": listen,
        "PROXY_OPERATOR_LISTEN": operator_listen,
        "PROXY_GATEWAY": gateway,
        "PROXY_GATEWAY_REQUESTS": str(GATEWAY_REQUESTS * replicas),
        "PROXY_NOTIFICATIONS": str(NOTIFICATIONS * replicas),
        "PROXY_CONNECTIONS_PER_ADDRESS": str(CONNECTIONS_PER_ADDRESS),
        "PROXY_EDGE_LISTEN": edge_listen,
        "PROXY_CLIENT_ADDRESS_HEADER": client_address_header,
    }
