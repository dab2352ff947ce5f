"""The operator's client of the payments service: its internal HTTP interface, under the operator's own token."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import requests

from cli import local_system
from common.core.secret_files import read_variable
from common.core.settings import HttpSettings
from common.http.client.client import TlsFiles
from common.http.server.identity import TokenIssuer
from deploy.failure import CANNOT_RUN, LaunchError
from deploy.services import BY_NAME

KEY_VARIABLE: Final = "FASTCHECK_OPERATOR_TOKEN_KEY"
#: Long, because a reconciliation polls a bank for many payments.
TIMEOUT_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Payments:
    """The payments service of one system."""

    url: str
    issuer: TokenIssuer
    tls: TlsFiles | None = None

    @classmethod
    def of(cls, data_dir: Path) -> Self:
        """Return a client for ``FASTCHECK_PAYMENTS_URL``, else for the system in the folder; raise LaunchError."""
        tls = TlsFiles.of(HttpSettings())
        url, key = read_variable(BY_NAME["payments"].url_variable), read_variable(KEY_VARIABLE)
        if not url or not key:
            variables = [BY_NAME["payments"].url_variable, KEY_VARIABLE]
            system = local_system.require(data_dir, variables, exit_code=CANNOT_RUN)
            if not url:
                url, tls = system.urls["payments-web"], system.tls_files
            key = key or system.credentials.token_keys["operator"]
        return cls(url.rstrip("/"), TokenIssuer("operator", key), tls)

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """Send a GET request and return its JSON; raise LaunchError with the message of the service."""
        return self._call("GET", path, params={name: str(value) for name, value in query.items() if value is not None})

    def post(self, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        """Send a POST request and return its JSON; raise LaunchError with the message of the service."""
        return self._call("POST", path, json=body or {})

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.issuer.issue('payments')}"}
        with requests.Session() as http:
            http.trust_env = False  # no proxy of the environment for an internal service
            if self.tls is not None:
                http.verify = str(self.tls.ca)
                if self.tls.certificate is not None and self.tls.key is not None:
                    http.cert = (str(self.tls.certificate), str(self.tls.key))
            try:
                response = http.request(
                    method, f"{self.url}{path}", headers=headers, timeout=TIMEOUT_SECONDS, **options
                )
                content: dict[str, Any] = response.json()
            except (requests.RequestException, ValueError) as error:
                raise LaunchError(f"Payments does not respond at {self.url}: {error}", exit_code=CANNOT_RUN) from error
        if response.status_code >= 400:
            details = "; ".join(f"{name} {what}" for name, what in content.get("errors", {}).items())
            sentence = f"{content.get('message', response.status_code)}{f' ({details})' if details else ''}"
            raise LaunchError(f"Payments rejected the request: {sentence}.", exit_code=CANNOT_RUN)
        return content
