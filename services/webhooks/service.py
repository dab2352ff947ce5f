"""Use cases: manage webhooks, write messages, deliver them. No transaction is open during a delivery."""

import secrets as random_numbers
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import Connection

from common.core.logging import get_logger
from common.http.server.paging import Page, decode_cursor, page_of
from services.webhooks import log_events, repository, signing
from services.webhooks.addresses import AddressNotAllowed
from services.webhooks.context import Context
from services.webhooks.errors import DeliveryNotFound, TooManyWebhooks, WebhookNotFound, WebhookUrlNotAllowed
from services.webhooks.models import (
    MAX_WEBHOOKS,
    SECRET_OVERLAP,
    Delivery,
    DeliveryStatus,
    EventType,
    Message,
    Outcome,
    Webhook,
    WebhookStatus,
    WithSecret,
    public_id,
)
from services.webhooks.repository import Claimed

log = get_logger(__name__)

#: Deliveries that are attempted at once, and of one webhook.
BATCH_SIZE: Final = 32
PER_WEBHOOK: Final = 4
#: Beyond the time-out of a delivery: resolving the host name, and saving the outcome.
LEASE_MARGIN: Final = timedelta(seconds=60)
#: Wait of the end of a check for the event of its creation. The outbox sends that again after 20 seconds at most.
CREATION_WAIT: Final = timedelta(seconds=30)
#: Time in which one run claims further batches.
RUN_SECONDS: Final = 20.0
#: Delays vary by up to this part, so that deliveries that failed together are not repeated together.
JITTER: Final = 0.1

_LAST_NO: Final = 2**63 - 1
_NOTICE_FAILED: Final = "disabled: the receiver has not accepted an event for 3 days; a successful replay enables it"
_NOTICE_GONE: Final = "disabled: the receiver responded 410 Gone; a successful replay enables it"


def create_webhook(context: Context, user_id: UUID, url: str, event_types: tuple[EventType, ...] | None) -> WithSecret:
    """Register a URL for the user's events, all types or these.

    Raises WebhookUrlNotAllowed, TooManyWebhooks, and ServiceUnavailable if a publisher does not respond; then nothing
    is registered.
    """
    try:
        target = context.addresses.resolve(url)
    except AddressNotAllowed as error:
        raise WebhookUrlNotAllowed(errors={"url": str(error)}) from None
    with context.db.autocommit() as tx:
        _refuse_one_more(tx, user_id)
    context.publishers.follow(user_id)
    webhook_id, secret = uuid4(), signing.new_secret()
    webhook = Webhook(
        webhook_id=webhook_id,
        user_id=user_id,
        url=target.url,
        event_types=event_types,
        status=WebhookStatus.ENABLED,
        secret_ciphertext=context.secrets.seal(webhook_id, secret),
        created_at=context.clock.now(),
    )
    with context.db.transaction() as tx:
        repository.lock_user(tx, user_id)
        _refuse_one_more(tx, user_id)
        repository.insert_webhook(tx, webhook)
    return WithSecret(webhook, secret)


def _refuse_one_more(tx: Connection, user_id: UUID) -> None:
    if repository.count_webhooks(tx, user_id) >= MAX_WEBHOOKS:
        raise TooManyWebhooks


def list_webhooks(context: Context, user_id: UUID) -> list[Webhook]:
    """Return the user's webhooks, oldest first."""
    with context.db.autocommit() as tx:
        return repository.webhooks_of_user(tx, user_id)


def delete_webhook(context: Context, user_id: UUID, webhook_id: UUID) -> None:
    """Delete a webhook with its deliveries; raises WebhookNotFound. An attempt in progress may still arrive."""
    with context.db.autocommit() as tx:
        if not repository.delete_webhook(tx, webhook_id, user_id):
            raise WebhookNotFound


def rotate_secret(context: Context, user_id: UUID, webhook_id: UUID) -> WithSecret:
    """Replace the secret; for 24 hours deliveries are signed with both. Raises WebhookNotFound."""
    secret = signing.new_secret()
    with context.db.autocommit() as tx:
        webhook = repository.rotate_secret(
            tx,
            webhook_id,
            user_id,
            secret_ciphertext=context.secrets.seal(webhook_id, secret),
            previous_until=context.clock.now() + SECRET_OVERLAP,
        )
    if webhook is None:
        raise WebhookNotFound
    return WithSecret(webhook, secret)


def list_deliveries(
    context: Context, user_id: UUID, webhook_id: UUID, limit: int, cursor: str | None
) -> Page[Delivery]:
    """Return a page of a webhook's deliveries, newest first; raises WebhookNotFound and InvalidRequest."""
    before_no = int(str(decode_cursor(cursor, int)[0])) if cursor else _LAST_NO
    with context.db.autocommit() as tx:
        if not repository.is_webhook_of(tx, webhook_id, user_id):
            raise WebhookNotFound
        found = repository.deliveries_of(tx, webhook_id, before_no=min(before_no, _LAST_NO), limit=limit + 1)
    page = page_of(found, limit, lambda item: (item[0],))
    return Page([delivery for _, delivery in page.items], page.next_cursor)


def replay(context: Context, user_id: UUID, webhook_id: UUID, delivery_id: UUID) -> Delivery:
    """Make a delivery due at once, whatever its status; raises WebhookNotFound and DeliveryNotFound."""
    with context.db.transaction() as tx:
        if not repository.is_webhook_of(tx, webhook_id, user_id):
            raise WebhookNotFound
        delivery = repository.lock_delivery(tx, webhook_id, delivery_id)
        if delivery is None:
            raise DeliveryNotFound
        replayed = delivery.replayed(context.clock.now())
        repository.save_replay(tx, replayed)
    return replayed


def add_messages(tx: Connection, messages: Sequence[Message], *, now: datetime) -> None:
    """Write messages and their deliveries in the transaction of the inbox."""
    repository.add_messages(tx, messages, now=now, creation_wait=CREATION_WAIT)


def deliver_due(context: Context) -> int:
    """Attempt the deliveries that are due, in batches, for a limited time; return the number of attempts."""
    until = monotonic() + RUN_SECONDS
    attempts = 0
    while True:
        claimed = _claim(context)
        attempts += len(claimed)
        if claimed:
            with ThreadPoolExecutor(max_workers=len(claimed), thread_name_prefix="delivery") as pool:
                for item, outcome in zip(claimed, pool.map(lambda each: _send(context, each), claimed), strict=True):
                    _record(context, item, outcome)
        if len(claimed) < BATCH_SIZE or monotonic() > until:
            return attempts


def _claim(context: Context) -> list[Claimed]:
    now = context.clock.now()
    leased_until = now + timedelta(seconds=context.settings.webhook_timeout_seconds) + LEASE_MARGIN
    with context.db.autocommit() as tx:
        return repository.claim_due(tx, now=now, leased_until=leased_until, limit=BATCH_SIZE, per_webhook=PER_WEBHOOK)


def _send(context: Context, claimed: Claimed) -> Outcome:
    delivery, body = claimed.delivery, claimed.payload.encode()
    webhook_secrets = [
        context.secrets.open(delivery.webhook_id, ciphertext) for ciphertext in claimed.secret_ciphertexts
    ]
    signed = signing.signed_headers(webhook_secrets, public_id(delivery.message_id), context.clock.now(), body)
    return context.sender.send(claimed.url, {"Content-Type": "application/json", **signed}, body)


def _record(context: Context, claimed: Claimed, outcome: Outcome) -> None:
    """Save the outcome of an attempt, and what it means for the webhook."""
    now = context.clock.now()
    delivery = claimed.delivery.after(outcome, now, round_attempts=claimed.round_attempts, is_last=claimed.is_last)
    delivery = _with_jitter(delivery, now)
    is_disabled = False
    with context.db.transaction() as tx:
        if not repository.save_outcome(tx, delivery):
            return
        if outcome.is_success:
            repository.record_success(tx, delivery.webhook_id, now=now)
        else:
            repository.record_failure(tx, delivery.webhook_id, now=now)
        if delivery.status is DeliveryStatus.FAILED:
            is_disabled = repository.disable(
                tx,
                delivery.webhook_id,
                now=now,
                notice=_NOTICE_GONE if outcome.is_gone else _NOTICE_FAILED,
                unless_delivered_since=None if outcome.is_gone else delivery.first_attempt_at,
            )
    _log(delivery, outcome, is_enabled=outcome.is_success and claimed.is_last, is_disabled=is_disabled)


def _with_jitter(delivery: Delivery, now: datetime) -> Delivery:
    if delivery.next_attempt_at is None:
        return delivery
    later = (delivery.next_attempt_at - now) * (1 + JITTER * random_numbers.randbelow(1000) / 1000)
    return replace(delivery, next_attempt_at=now + later)


def _log(delivery: Delivery, outcome: Outcome, *, is_enabled: bool, is_disabled: bool) -> None:
    about = {"webhook_id": str(delivery.webhook_id), "delivery_id": str(delivery.delivery_id)}
    if outcome.is_success:
        log.info(log_events.WEBHOOK_DELIVERED, **about, attempts=delivery.attempts)
    else:
        log.warning(
            log_events.WEBHOOK_ATTEMPT_FAILED,
            **about,
            attempts=delivery.attempts,
            becomes=delivery.status.value,
            response_status=outcome.status,
            error=outcome.error,
        )
    if is_disabled:
        log.error(log_events.WEBHOOK_DISABLED, **about)
    if is_enabled:
        log.info(log_events.WEBHOOK_ENABLED, **about)
