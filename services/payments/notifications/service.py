"""Effect of bank notifications. Webhooks, polls and browser returns all call :func:`apply_notification`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from sqlalchemy import Connection

from common.bus import outbox
from common.contracts.events import PaymentConfirmed
from common.core.errors import NotFound, ServiceUnavailable
from common.core.logging import get_logger
from common.core.security_log import SecurityLog
from common.db.errors import retry_on_conflict
from common.http.server.paging import Page, decode_cursor, page_of
from services.payments import log_events
from services.payments.banks.base import Acknowledgement, BadSignature, Bank, BankUnavailable, Notification
from services.payments.context import Context
from services.payments.errors import NotificationForged, NotificationRefused
from services.payments.metrics import NOTIFICATIONS
from services.payments.models import REFUSED, AttemptState, Decision, TopUpStatus, Verdict, evaluate
from services.payments.notifications import repository as notifications
from services.payments.notifications.masking import mask_cards
from services.payments.notifications.repository import Evidence, StoredNotification
from services.payments.refunds import repository as refunds
from services.payments.topups import repository as topups
from services.payments.topups.repository import Located

log = get_logger(__name__)
security_log = SecurityLog(__name__)

#: Headers that are stored, in lower case. None of them holds a credential.
RECORDED_HEADERS: Final = frozenset({"content-type", "content-length", "user-agent", "x-request-id", "date"})
#: An order number that no attempt has.
_NO_ORDER: Final = ""
_NO_CURSOR: Final = 2**63 - 1


def receive(
    context: Context,
    bank_name: str,
    *,
    method: str,
    headers: Mapping[str, str],
    raw_body: bytes,
    query: Mapping[str, Sequence[str]],
    client_ip: str,
) -> Acknowledgement:
    """Authenticate, record and apply a message to a bank's webhook; return the response that the bank expects.

    Raises NotFound for a disabled bank, NotificationForged and NotificationRefused (both after recording the message),
    and ServiceUnavailable if the bank has to confirm the notification and is unavailable; the bank then repeats it.
    """
    bank = context.banks.get(bank_name)
    if bank is None:
        raise NotFound
    evidence = _evidence(headers, raw_body, query, client_ip)
    try:
        notification = bank.parse_notification(method, headers, raw_body, _single_values(query), client_ip)
    except BadSignature as error:
        raise _refuse_forged(context, bank, evidence, error) from None
    except BankUnavailable as error:
        log.warning(log_events.NOTIFICATION_UNCONFIRMED, bank=bank.name, error=str(error))
        raise ServiceUnavailable from error
    if apply_notification(context, bank, notification, evidence) in REFUSED:
        raise NotificationRefused
    return bank.acknowledge()


def _single_values(query: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the query as a dictionary; raise BadSignature for a repeated name.

    Of two values under one name, the bank may have signed the one that this service would ignore.
    """
    if any(len(values) != 1 for values in query.values()):
        raise BadSignature("a parameter is repeated")
    return {name: values[0] for name, values in query.items()}


def _evidence(
    headers: Mapping[str, str], raw_body: bytes, query: Mapping[str, Sequence[str]], client_ip: str
) -> Evidence:
    body = raw_body.decode("utf-8", errors="backslashreplace")
    if query:
        body = urlencode(query, doseq=True) + ("\n" + body if body else "")
    return Evidence(
        "webhook",
        address=client_ip or None,
        headers={name: value[:500] for name, value in headers.items() if name.lower() in RECORDED_HEADERS},
        body=mask_cards(body),
    )


def _refuse_forged(context: Context, bank: Bank, evidence: Evidence, error: BadSignature) -> NotificationForged:
    with context.db.autocommit() as tx:
        notifications.record_forged(
            tx, bank.name, evidence, most_per_hour=context.settings.forged_notifications_per_hour
        )
    NOTIFICATIONS.labels(bank.name, evidence.source, Verdict.BAD_SIGNATURE.value).inc()
    security_log.warning(
        log_events.NOTIFICATION_REJECTED, bank=bank.name, verdict=Verdict.BAD_SIGNATURE.value, reason=str(error)
    )
    return NotificationForged()


@retry_on_conflict
def apply_notification(context: Context, bank: Bank, notification: Notification, evidence: Evidence) -> Verdict:
    """Apply an authentic notification exactly once, whatever its source; return the verdict.

    One transaction locks the top-up, evaluates the notification, changes the status, writes the event and records the
    notification. Concurrent notifications are serialized by the lock, so that the second has no further effect.
    """
    now = context.clock.now()
    with context.db.transaction() as tx:
        order_id = (
            notification.order_id or topups.order_of_payment(tx, bank.name, notification.bank_payment_id) or _NO_ORDER
        )
        found = topups.lock_by_order(tx, bank.name, order_id, notification.bank_payment_id)
        decision = _decide(context, bank, found, notification)
        if found is not None:
            _apply_decision(tx, bank, found, notification, decision, now=now)
        topup_id = found.topup.topup_id if found else None
        notifications.record(tx, bank.name, notification, evidence, verdict=decision.verdict, topup_id=topup_id)
    NOTIFICATIONS.labels(bank.name, evidence.source, decision.verdict.value).inc()
    log.info(
        log_events.NOTIFICATION_PROCESSED,
        bank=bank.name,
        source=evidence.source,
        bank_status=notification.bank_status,
        verdict=decision.verdict.value,
        topup_id=str(topup_id) if topup_id else None,
        becomes=decision.becomes.value if decision.becomes else None,
    )
    return decision.verdict


def _decide(context: Context, bank: Bank, found: Located | None, notification: Notification) -> Decision:
    if found is None:
        return Decision(Verdict.UNKNOWN_ORDER)
    if found.payment_is_of_another_order:
        return Decision(Verdict.WRONG_PAYMENT)
    return evaluate(
        found.topup, found.attempt, notification, bank.terminal, credit_late=context.settings.topup_credit_late
    )


def _apply_decision(
    tx: Connection, bank: Bank, found: Located, notification: Notification, decision: Decision, *, now: datetime
) -> None:
    """Store a decision about a locked top-up."""
    topup, attempt = found.topup, found.attempt
    if decision.verdict not in REFUSED and attempt.bank_payment_id is None:
        topups.learn_payment_id(tx, bank.name, attempt.bank_order_id, notification.bank_payment_id)
    if decision.attempt_becomes is not None:
        topups.save_attempt_state(tx, bank.name, attempt.bank_order_id, decision.attempt_becomes)
    if decision.attempt_becomes is AttemptState.SURPLUS:
        refunds.insert_surplus(tx, topup, attempt.bank_order_id, reason=decision.verdict.value, now=now)
    if decision.becomes is None:
        return
    topups.save_status(tx, topup, decision.becomes, now=now)
    if decision.becomes is TopUpStatus.CONFIRMED:
        event = PaymentConfirmed(topup.topup_id, topup.user_id, bank.name, topup.amount_minor, topup.currency, now)
        outbox.add_all(tx, [event])


def list_refused(context: Context, bank: str | None, limit: int, cursor: str | None) -> Page[StoredNotification]:
    """Return a page of rejected notifications, newest first; raise InvalidRequest for a foreign cursor."""
    before = int(str(decode_cursor(cursor, int)[0])) if cursor else _NO_CURSOR
    with context.db.autocommit() as tx:
        found = notifications.list_refused(tx, bank=bank, before_id=before, limit=limit + 1)
    return page_of(found, limit, lambda item: (item.notification_id,))
