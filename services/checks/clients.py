"""The HTTP client of balance. Each command may be repeated: balance derives the transfer's id from the check's id."""

import json
from collections.abc import Mapping, Sequence
from typing import Self

from common.core import trace
from common.core.errors import ServiceUnavailable
from common.core.logging import get_logger
from common.http.client.client import HttpClient, HttpResponse
from common.http.server.identity import TokenIssuer
from services.checks import log_events
from services.checks.config import ChecksSettings
from services.checks.models import Check

log = get_logger(__name__)


class UnexpectedResponse(Exception):
    """Balance rejected a command as contradicting its ledger, or as invalid. An operator must look into it."""


class BalanceClient:
    """Commands to the ledger. Every method raises ServiceUnavailable if the outcome is unknown, which a retry with the
    same check resolves, and UnexpectedResponse.
    """

    def __init__(self, *, hold_client: HttpClient, settle_client: HttpClient, issuer: TokenIssuer) -> None:
        """``hold_client`` has the long time-out: a request cannot end without the outcome of its hold.

        ``settle_client`` has the short one, for settlements and releases, which the event delivers otherwise.
        """
        self._hold_client = hold_client
        self._settle_client = settle_client
        self._issuer = issuer

    @classmethod
    def of(cls, settings: ChecksSettings) -> Self:
        """Build the client from the settings; opens no connection."""
        return cls(
            hold_client=HttpClient.of(settings, settings.balance_url),
            settle_client=HttpClient.of(
                settings, settings.balance_url, timeout_seconds=settings.settle_timeout_seconds
            ),
            issuer=TokenIssuer("checks", settings.checks_token_key.get_secret_value()),
        )

    def hold(self, check: Check) -> bool:
        """Hold the check's money; return False if the creator's balance is too low, which is final for this check."""
        response = self._post(self._hold_client, "/internal/holds", self._body(check, check.creator_id))
        if response.status == 409 and _code(response) == "insufficient_funds":
            return False
        _raise_unless_done(response)
        return True

    def hold_many(self, checks: Sequence[Check], traces: Sequence[Mapping[str, str]]) -> list[bool]:
        """Hold the money of checks of concurrent requests, each with its trace.

        Return for each whether it is held. One that is not is undecided: :meth:`hold` decides it.
        """
        bodies = [self._body(check, check.creator_id) for check in checks]
        return self._post_batch(self._hold_client, "/internal/holds:batch", bodies, traces)

    def settle_many(self, checks: Sequence[Check], traces: Sequence[Mapping[str, str]]) -> list[bool]:
        """Settle accepted checks of concurrent requests, each with its trace.

        Return for each whether it is settled. For one that is not, :meth:`settle` must be called.
        """
        bodies = [self._body(check, check.acceptor_id) for check in checks]
        return self._post_batch(self._settle_client, "/internal/settlements:batch", bodies, traces)

    def settle(self, check: Check) -> None:
        """Settle the held money of an accepted check to its acceptor."""
        _raise_unless_done(
            self._post(self._settle_client, "/internal/settlements", self._body(check, check.acceptor_id))
        )

    def release(self, check: Check) -> None:
        """Release the held money of a cancelled check to its creator."""
        body = {**self._body(check, check.creator_id), "reason": "cancelled"}
        _raise_unless_done(self._post(self._settle_client, "/internal/releases", body))

    @staticmethod
    def _body(check: Check, user_id: object) -> dict[str, object]:
        return {
            "checkID": str(check.check_id),
            "userID": str(user_id),
            "amount": check.amount_minor,
            "currency": check.currency,
            "fastcheck": check.fastcheck,
        }

    def _post_batch(
        self,
        http: HttpClient,
        target: str,
        bodies: Sequence[dict[str, object]],
        traces: Sequence[Mapping[str, str]],
    ) -> list[bool]:
        items = [
            {**body, "requestID": trace_.get("request_id"), "traceparent": trace_.get("traceparent")}
            for body, trace_ in zip(bodies, traces, strict=True)
        ]
        response = self._post(http, target, {"items": items})
        if response.status == 429 or response.status >= 500:
            raise ServiceUnavailable
        outcomes = _outcomes(response) if response.status == 200 else []
        if len(outcomes) != len(items):
            # A release of balance that does not know the route, or one invalid item. Nothing is lost: each command is
            # given by itself, and has the same id.
            log.warning(log_events.BATCH_REJECTED, status=response.status, code=_code(response))
            return [False] * len(items)
        return [outcome == "done" for outcome in outcomes]

    def _post(self, http: HttpClient, target: str, body: Mapping[str, object]) -> HttpResponse:
        headers = {
            "Authorization": f"Bearer {self._issuer.issue('balance')}",
            "Content-Type": "application/json",
            **trace.headers(),
        }
        return http.request("POST", target, headers=headers, body=json.dumps(body).encode())


def _raise_unless_done(response: HttpResponse) -> None:
    if response.status == 204:
        return
    if response.status == 429 or response.status >= 500:
        raise ServiceUnavailable
    raise UnexpectedResponse(f"balance responded {response.status} {_code(response)}")


def _outcomes(response: HttpResponse) -> list[object]:
    try:
        return list(json.loads(response.body)["outcomes"])
    except (ValueError, KeyError, TypeError):
        return []


def _code(response: HttpResponse) -> str:
    try:
        return str(json.loads(response.body)["code"])
    except (ValueError, KeyError, TypeError):
        return "(no code)"
