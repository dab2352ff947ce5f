"""HTTP out: what balance is asked to do for a refund. Each may be repeated: the refund's id makes a repeat a no-op."""

import json
from typing import Self

from common.core import trace
from common.core.errors import ServiceUnavailable
from common.http.client.client import HttpClient, HttpResponse
from common.http.server.identity import TokenIssuer
from services.payments.config import PaymentsSettings
from services.payments.models import TopUp
from services.payments.refunds.models import Refund


class UnexpectedAnswer(Exception):
    """Balance says that a command contradicts its books, or does not understand it: a person must look."""


class BalanceClient:
    """The ledger, as payments sees it. Every method raises ServiceUnavailable when the outcome is not known (ask
    again), and UnexpectedAnswer.
    """

    def __init__(self, http: HttpClient | None, issuer: TokenIssuer | None) -> None:
        self._http = http
        self._issuer = issuer

    @classmethod
    def of(cls, settings: PaymentsSettings) -> Self:
        """Connects to nothing yet. Without ``FASTCHECK_BALANCE_URL`` and a key of its own, refunds wait."""
        key = settings.payments_token_key.get_secret_value()
        if not settings.balance_url or not key:
            return cls(None, None)
        http = HttpClient(
            settings.balance_url,
            pool_size=settings.http_pool_size,
            connect_timeout_seconds=settings.http_connect_timeout_seconds,
            timeout_seconds=settings.http_timeout_seconds,
        )
        return cls(http, TokenIssuer("payments", key))

    def take_refund(self, refund: Refund, topup: TopUp) -> bool:
        """Take a refund's money off the user's balance; False when he has not enough, which is final for it."""
        answer = self._post("/internal/topup-refunds", refund, topup)
        if answer.status == 409 and _code(answer) == "insufficient_funds":
            return False
        _must_be_done(answer)
        return True

    def return_refund(self, refund: Refund, topup: TopUp) -> None:
        """Give the user back what the bank did not take."""
        _must_be_done(self._post("/internal/topup-refund-returns", refund, topup))

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


def _must_be_done(answer: HttpResponse) -> None:
    if answer.status == 204:
        return
    if answer.status == 429 or answer.status >= 500:
        raise ServiceUnavailable
    raise UnexpectedAnswer(f"balance answered {answer.status} {_code(answer)}")


def _code(answer: HttpResponse) -> str:
    try:
        return str(json.loads(answer.body)["code"])
    except (ValueError, KeyError, TypeError):
        return "(no code)"
