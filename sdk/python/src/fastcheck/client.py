"""The sync client. ``async_client`` is generated from this module."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID, uuid4

import httpx

from fastcheck.errors import expect, expect_nothing
from fastcheck.generated import AuthenticatedClient, Client
from fastcheck.generated.api.accounts import (
    change_password,
    end_session,
    get_me,
    list_sessions,
    log_in,
    log_out,
    log_out_everywhere,
    register,
)
from fastcheck.generated.api.balance import get_balance, get_statement
from fastcheck.generated.api.fast_checks import (
    accept_check,
    cancel_check,
    create_check,
    get_check,
    list_active_checks,
    list_history,
    preview_check,
    preview_check_as_guest,
    renew_code,
)
from fastcheck.generated.api.top_up import create_top_up, get_top_up, list_top_ups
from fastcheck.generated.api.webhooks import (
    create_webhook,
    delete_webhook,
    list_webhook_deliveries,
    list_webhooks,
    replay_webhook_delivery,
    rotate_webhook_secret,
)
from fastcheck.generated.types import UNSET, Unset
from fastcheck.models import (
    AcceptedCheck,
    ActiveCheck,
    ActiveList,
    BalanceView,
    CancelledCheck,
    CheckView,
    CreateRequest,
    Credentials,
    DeliveryList,
    DeliveryView,
    Ending,
    EventType,
    HistoryList,
    HistoryType,
    MeView,
    NewWebhook,
    NumberAndCode,
    PasswordChange,
    PreviewedCheck,
    SessionList,
    SessionView,
    SignIn,
    StartedTopUp,
    StatementView,
    TopUpList,
    TopUpRequest,
    TopUpView,
    WebhookList,
    WebhookWithSecret,
)
from fastcheck.retries import RetryTransport


def _key(key: str | None) -> str:
    return key or uuid4().hex


class FastCheck:
    """The API of one installation, for one user.

    Methods raise FastCheckError if the API rejects the request, and httpx.TransportError without a response. Each
    request that moves money has an ``Idempotency-Key``, a new one unless it is given: a repeat has no second effect.
    Give the key yourself, and store it before, if the request must not act twice after a crash of your program.
    """

    def __init__(
        self,
        base_url: str,
        session_id: str = "",
        *,
        retries: int = 3,
        timeout_seconds: float = 20.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect to nothing yet. ``session_id`` is that of the user; without one, call ``register`` or ``log_in``."""
        self._base_url, self._timeout = base_url, httpx.Timeout(timeout_seconds)
        self._transport = RetryTransport(transport or httpx.HTTPTransport(), retries)
        self._guest = Client(self._base_url, timeout=self._timeout, httpx_args={"transport": self._transport})
        self._client = self._signed_in(session_id)

    def _signed_in(self, session_id: str) -> AuthenticatedClient:
        self._session_id = session_id
        # A header cannot end with the space after "Bearer". The API rejects "none" as it rejects a missing session.
        token, arguments = session_id or "none", {"transport": self._transport}
        return AuthenticatedClient(self._base_url, token, timeout=self._timeout, httpx_args=arguments)

    @property
    def session_id(self) -> str:
        """The session of the user, a secret; empty without one."""
        return self._session_id

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Accounts

    def register(self, login: str, password: str) -> SessionView:
        """Register a user, and act for this user from now on."""
        body = Credentials(login=login, password=password)
        session = expect(register.sync_detailed(client=self._guest, body=body), SessionView)
        self._client = self._signed_in(session.session_id)
        return session

    def log_in(self, login: str, password: str) -> SessionView:
        """Start a session, and act for its user from now on."""
        body = SignIn(login=login, password=password)
        session = expect(log_in.sync_detailed(client=self._guest, body=body), SessionView)
        self._client = self._signed_in(session.session_id)
        return session

    def log_out(self) -> None:
        """End the session."""
        expect_nothing(log_out.sync_detailed(client=self._client))

    def log_out_everywhere(self) -> None:
        """End all sessions of the user."""
        expect_nothing(log_out_everywhere.sync_detailed(client=self._client))

    def list_sessions(self) -> SessionList:
        """Return the active sessions of the user."""
        return expect(list_sessions.sync_detailed(client=self._client), SessionList)

    def end_session(self, session_key: UUID) -> None:
        """End one session of the user, by the ``id`` of ``list_sessions``."""
        expect_nothing(end_session.sync_detailed(session_key, client=self._client))

    def get_me(self) -> MeView:
        """Return the user of the session."""
        return expect(get_me.sync_detailed(client=self._client), MeView)

    def change_password(self, old_password: str, new_password: str) -> None:
        """Replace the password, and end all other sessions."""
        body = PasswordChange(old_password=old_password, new_password=new_password)
        expect_nothing(change_password.sync_detailed(client=self._client, body=body))

    # Balance

    def get_balance(self, *, currency: str | Unset = UNSET, at: datetime | Unset = UNSET) -> BalanceView:
        """Return what is free to spend, now or at the end of a second."""
        return expect(get_balance.sync_detailed(client=self._client, currency=currency, at=at), BalanceView)

    def get_statement(
        self,
        *,
        currency: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
    ) -> StatementView:
        """Return a page of the changes of the balance, newest first."""
        response = get_statement.sync_detailed(
            client=self._client, currency=currency, from_=since, to=until, limit=limit, cursor=cursor
        )
        return expect(response, StatementView)

    # Checks

    def create_check(
        self,
        amount: int,
        *,
        currency: str | Unset = UNSET,
        note: str | Unset = UNSET,
        expires_in: int | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> ActiveCheck:
        """Create a check of ``amount`` in minor units; ``expires_in`` is in seconds."""
        body = CreateRequest(amount=amount, currency=currency, note=note, expires_in=expires_in)
        response = create_check.sync_detailed(client=self._client, body=body, idempotency_key=_key(idempotency_key))
        return expect(response, ActiveCheck)

    def accept_check(self, fastcheck: str, code: str, *, idempotency_key: str | None = None) -> AcceptedCheck:
        """Accept a check: its amount is credited to the user."""
        body = NumberAndCode(fastcheck=fastcheck, code=code)
        response = accept_check.sync_detailed(client=self._client, body=body, idempotency_key=_key(idempotency_key))
        return expect(response, AcceptedCheck)

    def preview_check(self, fastcheck: str, code: str) -> PreviewedCheck:
        """Return what the user would receive. A wrong code counts as an attempt."""
        body = NumberAndCode(fastcheck=fastcheck, code=code)
        return expect(preview_check.sync_detailed(client=self._client, body=body), PreviewedCheck)

    def preview_check_as_guest(self, fastcheck: str, code: str) -> PreviewedCheck:
        """Do the same as ``preview_check`` without a session."""
        body = NumberAndCode(fastcheck=fastcheck, code=code)
        return expect(preview_check_as_guest.sync_detailed(client=self._guest, body=body), PreviewedCheck)

    def get_check(self, fastcheck: str) -> CheckView:
        """Return a check that the user created or accepted."""
        return expect(get_check.sync_detailed(fastcheck, client=self._client), CheckView)

    def cancel_check(self, fastcheck: str, *, idempotency_key: str | None = None) -> CancelledCheck:
        """Cancel an own active check: its amount returns to the balance."""
        key = _key(idempotency_key)
        return expect(cancel_check.sync_detailed(fastcheck, client=self._client, idempotency_key=key), CancelledCheck)

    def renew_code(self, fastcheck: str, *, idempotency_key: str | None = None) -> ActiveCheck:
        """Replace the code of an own active check."""
        key = _key(idempotency_key)
        return expect(renew_code.sync_detailed(fastcheck, client=self._client, idempotency_key=key), ActiveCheck)

    def list_active_checks(self, *, limit: int | Unset = UNSET, cursor: str | Unset = UNSET) -> ActiveList:
        """Return a page of own active checks with their codes, newest first."""
        return expect(list_active_checks.sync_detailed(client=self._client, limit=limit, cursor=cursor), ActiveList)

    def list_history(
        self,
        *,
        role: HistoryType | Unset = UNSET,
        status: Ending | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
    ) -> HistoryList:
        """Return a page of ended checks that the user created or accepted, newest first."""
        response = list_history.sync_detailed(
            client=self._client, type_=role, status=status, from_=since, to=until, limit=limit, cursor=cursor
        )
        return expect(response, HistoryList)

    # Top-ups

    def create_top_up(
        self,
        amount: int,
        return_url: str,
        *,
        currency: str | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> StartedTopUp:
        """Start a top-up. Send the browser to its ``payment_url``; the bank sends it to ``return_url``."""
        body = TopUpRequest(amount=amount, return_url=return_url, currency=currency)
        response = create_top_up.sync_detailed(client=self._client, body=body, idempotency_key=_key(idempotency_key))
        return expect(response, StartedTopUp)

    def get_top_up(self, transaction_id: UUID) -> TopUpView:
        """Return a top-up of the user."""
        return expect(get_top_up.sync_detailed(transaction_id, client=self._client), TopUpView)

    def list_top_ups(self, *, limit: int | Unset = UNSET, cursor: str | Unset = UNSET) -> TopUpList:
        """Return a page of the user's top-ups, newest first."""
        return expect(list_top_ups.sync_detailed(client=self._client, limit=limit, cursor=cursor), TopUpList)

    # Webhooks

    def create_webhook(self, url: str, events: Sequence[EventType] = ()) -> WebhookWithSecret:
        """Register a URL for events, all types or these. Its ``secret`` is shown only here."""
        body = NewWebhook(url=url, events=list(events) or UNSET)
        return expect(create_webhook.sync_detailed(client=self._client, body=body), WebhookWithSecret)

    def list_webhooks(self) -> WebhookList:
        """Return the webhooks of the user."""
        return expect(list_webhooks.sync_detailed(client=self._client), WebhookList)

    def delete_webhook(self, webhook_id: UUID) -> None:
        """Delete a webhook with its deliveries."""
        expect_nothing(delete_webhook.sync_detailed(webhook_id, client=self._client))

    def rotate_webhook_secret(self, webhook_id: UUID) -> WebhookWithSecret:
        """Replace the secret of a webhook. For a day, requests are signed with both."""
        return expect(rotate_webhook_secret.sync_detailed(webhook_id, client=self._client), WebhookWithSecret)

    def list_webhook_deliveries(
        self, webhook_id: UUID, *, limit: int | Unset = UNSET, cursor: str | Unset = UNSET
    ) -> DeliveryList:
        """Return a page of the deliveries of a webhook, newest first."""
        response = list_webhook_deliveries.sync_detailed(webhook_id, client=self._client, limit=limit, cursor=cursor)
        return expect(response, DeliveryList)

    def replay_webhook_delivery(self, webhook_id: UUID, delivery_id: UUID) -> DeliveryView:
        """Send a delivery again."""
        response = replay_webhook_delivery.sync_detailed(webhook_id, delivery_id, client=self._client)
        return expect(response, DeliveryView)
