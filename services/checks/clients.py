"""HTTP out: the commands to balance. Each may be repeated: the check's id makes a repeat a no-op there."""

import json
from typing import Self

from common.core import trace
from common.core.errors import ServiceUnavailable
from common.core.logging import get_logger
from common.http.client.client import HttpClient, HttpResponse
from common.http.server.identity import TokenIssuer
from services.checks.config import ChecksSettings
from services.checks.models import Check

log = get_logger(__name__)


class UnexpectedAnswer(Exception):
    """Balance says that a command contradicts its books, or does not understand it: a person must look."""


class BalanceClient:
    """The ledger, as checks sees it. Every method raises ServiceUnavailable when the outcome is not known (ask
    again), and UnexpectedAnswer.
    """

    def __init__(self, *, patient: HttpClient, hasty: HttpClient, issuer: TokenIssuer) -> None:
        """``patient`` is for holds, which a user must wait for; ``hasty`` for what an event will bring otherwise."""
        self._patient = patient
        self._hasty = hasty
        self._issuer = issuer

    @classmethod
    def of(cls, settings: ChecksSettings) -> Self:
        """Connects to nothing yet."""

        def client(timeout_seconds: float) -> HttpClient:
            return HttpClient(
                settings.balance_url,
                pool_size=settings.http_pool_size,
                connect_timeout_seconds=min(settings.http_connect_timeout_seconds, timeout_seconds),
                timeout_seconds=timeout_seconds,
            )

        return cls(
            patient=client(settings.http_timeout_seconds),
            hasty=client(settings.settle_timeout_seconds),
            issuer=TokenIssuer("checks", settings.checks_token_key.get_secret_value()),
        )

    def hold(self, check: Check) -> bool:
        """Take the check's money from its creator; False when he has not enough, which is final for this check."""
        answer = self._post(self._patient, "/internal/holds", self._body(check, check.creator_id))
        if answer.status == 409 and _code(answer) == "insufficient_funds":
            return False
        _must_be_done(answer)
        return True

    def settle(self, check: Check) -> None:
        """Pay the check's money to its acceptor."""
        _must_be_done(self._post(self._hasty, "/internal/settlements", self._body(check, check.acceptor_id)))

    def release(self, check: Check) -> None:
        """Give the money of a cancelled check back to its creator."""
        body = {**self._body(check, check.creator_id), "reason": "cancelled"}
        _must_be_done(self._post(self._hasty, "/internal/releases", body))

    @staticmethod
    def _body(check: Check, user_id: object) -> dict[str, object]:
        return {
            "checkID": str(check.check_id),
            "userID": str(user_id),
            "amount": check.amount_minor,
            "currency": check.currency,
            "fastcheck": check.fastcheck,
        }

    def _post(self, http: HttpClient, target: str, body: dict[str, object]) -> HttpResponse:
        headers = {
            "Authorization": f"Bearer {self._issuer.issue('balance')}",
            "Content-Type": "application/json",
            **trace.headers(),
        }
        return http.request("POST", target, headers=headers, body=json.dumps(body).encode())


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
