"""HTTP out: the services that publish events, and the receivers of webhooks."""

import math
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

import certifi
import pycurl

from common.core import trace
from common.core.errors import ServiceUnavailable
from common.http.client.client import HttpClient
from common.http.server.identity import TokenIssuer
from services.webhooks.addresses import AddressNotAllowed, AddressPolicy, Target
from services.webhooks.config import WebhooksSettings
from services.webhooks.models import Outcome

CONNECT_TIMEOUT_SECONDS: Final = 5.0
#: Bytes of a response that are read: only its status matters.
MAX_RESPONSE_BYTES: Final = 16 * 1024
USER_AGENT: Final = "FastCheck-Webhooks/1"

_ERRORS: Final = {
    pycurl.E_COULDNT_CONNECT: "the connection failed",
    pycurl.E_OPERATION_TIMEDOUT: "the receiver did not respond in time",
    pycurl.E_PEER_FAILED_VERIFICATION: "the certificate of the receiver is not valid",
    pycurl.E_SSL_CONNECT_ERROR: "the TLS handshake failed",
    pycurl.E_GOT_NOTHING: "the receiver closed the connection without a response",
}


class PublisherClients:
    """The calls to the services that publish events."""

    def __init__(self, clients: Mapping[str, HttpClient], issuer: TokenIssuer) -> None:
        self._clients = clients
        self._issuer = issuer

    @classmethod
    def of(cls, settings: WebhooksSettings) -> Self:
        """Build the clients from the settings; opens no connection."""
        urls = {"checks": settings.checks_url, "payments": settings.payments_url}
        return cls(
            {name: HttpClient.of(settings, url) for name, url in urls.items()},
            TokenIssuer("webhooks", settings.webhooks_token_key.get_secret_value()),
        )

    def follow(self, user_id: UUID) -> None:
        """Ask the publishers for the future events of this user. Safe to repeat; raises ServiceUnavailable."""
        for name, client in self._clients.items():
            headers = {"Authorization": f"Bearer {self._issuer.issue(name)}", **trace.headers()}
            response = client.request("PUT", f"/internal/followed-users/{user_id}", headers=headers, body=b"")
            if response.status != 204:
                raise ServiceUnavailable


class WebhookSender:
    """Sends deliveries. It follows no redirect, uses no proxy, and bounds the time and the size of a response."""

    def __init__(self, addresses: AddressPolicy, *, timeout_seconds: float, ca: Path | None = None) -> None:
        self._addresses = addresses
        self._timeout_seconds = timeout_seconds
        self._ca = str(ca or certifi.where())

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send one delivery and return its outcome; raises nothing for a receiver that fails."""
        try:
            target = self._addresses.resolve(url)
        except AddressNotAllowed as error:
            return Outcome(None, str(error))
        exchange = _Exchange(target, self._addresses)
        try:
            return exchange.perform(headers, body, self._timeout_seconds, self._ca)
        except pycurl.error as error:
            number = int(error.args[0])
            return Outcome(None, _ERRORS.get(number, f"the delivery failed (libcurl error {number})"))


class _Exchange:
    """One request on a connection of its own."""

    def __init__(self, target: Target, addresses: AddressPolicy) -> None:
        self._target = target
        self._addresses = addresses
        self._received = 0

    def perform(self, headers: Mapping[str, str], body: bytes, timeout_seconds: float, ca: str) -> Outcome:
        """Send the request; raises pycurl.error."""
        target, curl = self._target, pycurl.Curl()
        try:
            curl.setopt(pycurl.URL, target.url)
            curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
            curl.setopt(pycurl.FOLLOWLOCATION, 0)
            curl.setopt(pycurl.PROXY, "")
            curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
            curl.setopt(pycurl.NOSIGNAL, 1)
            curl.setopt(pycurl.RESOLVE, [f"{target.host}:{target.port}:{','.join(target.addresses)}"])
            curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
            curl.setopt(pycurl.CAINFO, ca)
            curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
            curl.setopt(pycurl.TIMEOUT_MS, math.ceil(timeout_seconds * 1000))
            curl.setopt(pycurl.CONNECTTIMEOUT_MS, math.ceil(min(CONNECT_TIMEOUT_SECONDS, timeout_seconds) * 1000))
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDS, body)
            curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in headers.items()] + ["Expect:"])
            curl.setopt(pycurl.USERAGENT, USER_AGENT)
            curl.setopt(pycurl.WRITEFUNCTION, self._write)
            try:
                curl.perform()
            except pycurl.error as error:
                # The response was cut off at its maximum size; its status is known.
                if error.args[0] != pycurl.E_WRITE_ERROR:
                    raise
            status = int(curl.getinfo(pycurl.RESPONSE_CODE))
        finally:
            curl.close()
        return Outcome(status, None if 200 <= status < 300 else f"the receiver responded {status}")

    def _write(self, data: bytes) -> int:
        self._received += len(data)
        return len(data) if self._received <= MAX_RESPONSE_BYTES else -1

    def _open_socket(self, _purpose: int, address: Any) -> Any:
        """Open a socket for an address that was resolved and is allowed: the last check before a connection."""
        family, kind, protocol, where_to = address
        if where_to[0] not in self._target.addresses or not self._addresses.allows(where_to[0]):
            return pycurl.SOCKET_BAD
        return socket.socket(family, kind, protocol)
