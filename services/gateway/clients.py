"""HTTP clients of the services behind the gateway."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from common.core.errors import ServiceUnavailable
from common.http.client.client import HttpClient
from common.http.server.identity import TokenIssuer
from services.gateway.config import GatewaySettings

#: Maximum number of connections to payments.
PAYMENTS_MAX_CONNECTIONS: Final = 16
SERVICES: Final = ("accounts", "balance", "checks", "payments", "webhooks")


@dataclass(frozen=True, slots=True)
class VerifiedSession:
    """The user of a session, and how long this may be cached, in seconds."""

    user_id: UUID
    cache_seconds: int


def open_clients(settings: GatewaySettings) -> Mapping[str, HttpClient]:
    """Return a client per service; connects to nothing yet."""
    urls = {
        "accounts": settings.accounts_url,
        "balance": settings.balance_url,
        "checks": settings.checks_url,
        "webhooks": settings.webhooks_url,
    }
    clients = {name: HttpClient.of(settings, url) for name, url in urls.items()}
    clients["payments"] = HttpClient.of(
        settings,
        settings.payments_url,
        timeout_seconds=settings.payments_timeout_seconds,
        max_connections=PAYMENTS_MAX_CONNECTIONS,
    )
    return clients


class AccountsClient:
    """The calls that the gateway itself makes to accounts."""

    def __init__(self, client: HttpClient, tokens: TokenIssuer) -> None:
        self._client = client
        self._tokens = tokens

    def verify_session(self, session_hash: str, request_id: str) -> VerifiedSession | None:
        """Return the active session with this hash, or None; raises ServiceUnavailable if accounts cannot tell."""
        response = self._client.request(
            "POST",
            "/internal/sessions/verify",
            headers={
                "Authorization": f"Bearer {self._tokens.issue('accounts')}",
                "Content-Type": "application/json",
                "X-Request-ID": request_id,
            },
            body=json.dumps({"sessionHash": session_hash}).encode(),
        )
        if response.status == 404:
            return None
        if response.status != 200:
            raise ServiceUnavailable
        body = json.loads(response.body)
        return VerifiedSession(UUID(body["userID"]), int(body["cacheSeconds"]))
