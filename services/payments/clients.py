"""HTTP client of balance. Every call can be retried: a repeat with the same refund id has no effect."""

import json
from typing import Self

from common.core import trace
from common.core.errors import ServiceUnavailable
from common.http.client.client import HttpClient, HttpResponse
from common.http.server.identity import TokenIssuer
from services.payments.config import PaymentsSettings
from services.payments.models import TopUp
from services.payments.refunds.models import Refund


class UnexpectedResponse(Exception):
    """Balance rejected a command as contradictory or malformed. An operator has to investigate."""


class BalanceClient:
    """The commands that payments sends to balance.

    Every method raises ServiceUnavailable if the outcome is unknown (retry), and UnexpectedResponse.
    """

    def __init__(self, http: HttpClient | None, issuer: TokenIssuer | None) -> None:
        self._http = http
        self._issuer = issuer

    @classmethod
    def of(cls, settings: PaymentsSettings) -> Self:
        """Create the client without connecting. Without a URL and a key, every call raises ServiceUnavailable."""
        key = settings.payments_token_key.get_secret_value()
        if not settings.balance_url or not key:
            return cls(None, None)
        http = HttpClient.of(settings, settings.balance_url)
        return cls(http, TokenIssuer("payments", key))

    def take_refund(self, refund: Refund, topup: TopUp) -> bool:
        """Debit the user for a refund. Return False if the balance is insufficient, which ends the refund."""
        answer = self._post("/internal/topup-refunds", refund, topup)
        if answer.status == 409 and _code(answer) == "insufficient_funds":
            return False
        _require_success(answer)
        return True

    def return_refund(self, refund: Refund, topup: TopUp) -> None:
        """Credit the user again after the bank rejected the refund."""
        _require_success(self._post("/internal/topup-refund-returns", refund, topup))

    def _post(self, target: str, refund: Refund, topup: TopUp) -> HttpResponse:
        if self._http is None or self._issuer is None:
            raise ServiceUnavailable("refunds need FASTCHECK_BALANCE_URL and FASTCHECK_PAYMENTS_TOKEN_KEY")
        headers = {
            "Authorization": f"Bearer {self._issuer.issue('balance')}",
            "Content-Type": "application/json",
            **trace.headers(),
        }
        body = {
            "refundID": str(refund.refund_id),
            "transactionID": str(topup.topup_id),
            "userID": str(topup.user_id),
            "amount": refund.amount_minor,
            "currency": topup.currency,
        }
        return self._http.request("POST", target, headers=headers, body=json.dumps(body).encode())


def _require_success(answer: HttpResponse) -> None:
    if answer.status == 204:
        return
    if answer.status == 429 or answer.status >= 500:
        raise ServiceUnavailable
    raise UnexpectedResponse(f"balance returned {answer.status} {_code(answer)}")


def _code(answer: HttpResponse) -> str:
    try:
        return str(json.loads(answer.body)["code"])
    except (ValueError, KeyError, TypeError):
        return "(no code)"
