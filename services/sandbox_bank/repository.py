"""SQL of the sandbox bank."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, text

from services.sandbox_bank.faults import Fault
from services.sandbox_bank.models import Delivery, Message, Payment, Refund, State

_COLUMNS: Final = """payment_no, protocol, public_id, order_id, amount_minor, refunded_minor, currency, description,
    state, notify_url, success_url, fail_url, page_key, expires_at, created_at, faults, details"""

_INSERT = text(f"""
    WITH numbered AS (SELECT nextval(pg_get_serial_sequence('payments', 'payment_no')) AS payment_no)
    INSERT INTO payments (payment_no, protocol, public_id, order_id, idempotence_key, request_hash, amount_minor,
                          currency, description, notify_url, success_url, fail_url, page_key, expires_at, created_at,
                          faults, details)
    OVERRIDING SYSTEM VALUE
    SELECT payment_no, :protocol, COALESCE(:public_id, payment_no::text), :order_id, :idempotence_key, :request_hash,
           :amount_minor, :currency, :description, :notify_url, :success_url, :fail_url, :page_key, :expires_at,
           :created_at, CAST(:faults AS text[]), CAST(:details AS jsonb)
      FROM numbered
    ON CONFLICT DO NOTHING
    RETURNING {_COLUMNS}
""")  # noqa: S608  the columns are ours

_BY_PAGE = text(f"SELECT {_COLUMNS} FROM payments WHERE page_key = :page_key FOR UPDATE")  # noqa: S608
_BY_PUBLIC_ID = text(
    f"SELECT {_COLUMNS} FROM payments WHERE protocol = :protocol AND public_id = :public_id FOR UPDATE"  # noqa: S608
)
_BY_ORDER = text(
    f"SELECT {_COLUMNS} FROM payments WHERE protocol = :protocol AND order_id = :order_id FOR UPDATE"  # noqa: S608
)
_SAVE = text("UPDATE payments SET state = :state, refunded_minor = :refunded_minor WHERE payment_no = :payment_no")
_SET_FAULTS = text("""
    UPDATE payments SET faults = CAST(:faults AS text[]) WHERE protocol = :protocol AND order_id = :order_id RETURNING 1
""")
_LIST = text(f"""
    SELECT {_COLUMNS} FROM payments WHERE protocol = :protocol ORDER BY payment_no DESC LIMIT :limit
""")  # noqa: S608
_BY_KEY = text(f"""
    SELECT {_COLUMNS}, request_hash FROM payments
     WHERE protocol = :protocol AND idempotence_key = :key FOR UPDATE
""")  # noqa: S608
_BETWEEN = text(f"""
    SELECT {_COLUMNS} FROM payments
     WHERE protocol = :protocol AND created_at >= :since AND created_at < :until AND payment_no > :after_no
     ORDER BY payment_no LIMIT :limit
""")  # noqa: S608
_LOCK_OVERDUE = text(f"""
    SELECT {_COLUMNS} FROM payments WHERE state = 'NEW' AND expires_at <= :now
     ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
""")  # noqa: S608

_REFUND_COLUMNS: Final = """r.public_id, p.public_id AS payment_id, r.amount_minor, p.currency, r.created_at
    FROM refunds r JOIN payments p USING (payment_no)"""
_REFUND_OF_KEY = text(f"""
    SELECT {_REFUND_COLUMNS} WHERE r.payment_no = :payment_no AND r.request_key = :request_key
""")
_REFUND_BY_ID = text(f"SELECT {_REFUND_COLUMNS} WHERE p.protocol = :protocol AND r.public_id = :public_id")
_ADD_REFUND = text("""
    INSERT INTO refunds (payment_no, public_id, request_key, amount_minor, created_at)
    VALUES (:payment_no, :public_id, :request_key, :amount_minor, :now)
""")

_ADD_DELIVERY = text("""
    INSERT INTO deliveries (payment_no, label, method, url, content_type, body, wants, due_at, max_attempts)
    VALUES (:payment_no, :label, :method, :url, :content_type, :body, :wants, :due_at, :max_attempts)
""")

# The next attempt is scheduled before the message is sent: a crash in between delays it, but does not lose it.
_CLAIM_DUE = text("""
    UPDATE deliveries d
       SET attempts = d.attempts + 1,
           due_at = CASE WHEN d.attempts + 1 < d.max_attempts
                         THEN CAST(:now AS timestamptz)
                              + make_interval(secs => LEAST(3600, :repeat_seconds * power(2, LEAST(d.attempts, 20))))
                    END
      FROM (SELECT delivery_id FROM deliveries WHERE due_at <= :now
             ORDER BY due_at, delivery_id LIMIT :limit FOR UPDATE SKIP LOCKED) due
     WHERE d.delivery_id = due.delivery_id
    RETURNING d.delivery_id, d.attempts, d.label, d.method, d.url, d.content_type, d.body, d.wants
""")
_DELIVERED = text("""
    UPDATE deliveries SET delivered_at = now(), due_at = NULL, last_answer = :answer WHERE delivery_id = :delivery_id
""")
_NOT_DELIVERED = text("UPDATE deliveries SET last_answer = :answer WHERE delivery_id = :delivery_id")

_TRIGGER = text("""
    INSERT INTO struck (protocol, order_id, fault) VALUES (:protocol, :order_id, :fault)
    ON CONFLICT DO NOTHING RETURNING 1
""")
_ASSIGN = text("""
    INSERT INTO assigned_faults (protocol, order_id, faults) VALUES (:protocol, :order_id, CAST(:faults AS text[]))
    ON CONFLICT (protocol, order_id) DO NOTHING
""")
_ASSIGNED = text("SELECT faults FROM assigned_faults WHERE protocol = :protocol AND order_id = :order_id")
_NEXT_OF_PLAN = text("""
    UPDATE fault_plan SET used = used + 1
    RETURNING plan -> CAST((used - 1) % jsonb_array_length(plan) AS integer) AS faults
""")
_SET_PLAN = text("""
    INSERT INTO fault_plan (plan) VALUES (CAST(:plan AS jsonb))
    ON CONFLICT (only_one) DO UPDATE SET plan = EXCLUDED.plan, used = 0
""")
_DROP_PLAN = text("DELETE FROM fault_plan")


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A merchant's request for a payment. Without ``public_id``, the payment's number is its id."""

    protocol: str
    order_id: str | None
    amount_minor: int
    currency: str
    description: str
    notify_url: str | None
    success_url: str
    fail_url: str
    expires_at: datetime
    public_id: str | None = None
    idempotence_key: str | None = None
    request_hash: bytes | None = None
    details: dict[str, Any] | None = None


def insert(tx: Connection, new: NewPayment, *, page_key: str, now: datetime, faults: Iterable[Fault]) -> Payment | None:
    """Insert a payment; return None if its order number or idempotence key exists."""
    row = (
        tx.execute(
            _INSERT,
            {
                "protocol": new.protocol,
                "public_id": new.public_id,
                "order_id": new.order_id,
                "idempotence_key": new.idempotence_key,
                "request_hash": new.request_hash,
                "amount_minor": new.amount_minor,
                "currency": new.currency,
                "description": new.description,
                "notify_url": new.notify_url,
                "success_url": new.success_url,
                "fail_url": new.fail_url,
                "page_key": page_key,
                "expires_at": new.expires_at,
                "created_at": now,
                "faults": sorted(faults),
                "details": json.dumps(new.details or {}),
            },
        )
        .mappings()
        .one_or_none()
    )
    return _payment(row) if row else None


def lock_by_page(tx: Connection, page_key: str) -> Payment | None:
    return _one(tx.execute(_BY_PAGE, {"page_key": page_key}).mappings().one_or_none())


def lock_by_public_id(tx: Connection, protocol: str, public_id: str) -> Payment | None:
    return _one(tx.execute(_BY_PUBLIC_ID, {"protocol": protocol, "public_id": public_id}).mappings().one_or_none())


def lock_by_order(tx: Connection, protocol: str, order_id: str) -> Payment | None:
    return _one(tx.execute(_BY_ORDER, {"protocol": protocol, "order_id": order_id}).mappings().one_or_none())


def lock_by_key(tx: Connection, protocol: str, idempotence_key: str) -> tuple[Payment, bytes] | None:
    """Return the payment of an idempotence key, with the hash of its request."""
    row = tx.execute(_BY_KEY, {"protocol": protocol, "key": idempotence_key}).mappings().one_or_none()
    return (_payment(row), bytes(row["request_hash"])) if row else None


def list_between(
    tx: Connection, protocol: str, *, since: datetime, until: datetime, after_no: int, limit: int
) -> list[Payment]:
    """Return payments of a period after a payment number, oldest first."""
    rows = tx.execute(
        _BETWEEN, {"protocol": protocol, "since": since, "until": until, "after_no": after_no, "limit": limit}
    ).mappings()
    return [_payment(row) for row in rows]


def lock_overdue(tx: Connection, *, now: datetime, limit: int) -> list[Payment]:
    """Lock unpaid payments past their expiry."""
    return [_payment(row) for row in tx.execute(_LOCK_OVERDUE, {"now": now, "limit": limit}).mappings()]


def list_newest(tx: Connection, protocol: str, *, limit: int) -> list[Payment]:
    return [_payment(row) for row in tx.execute(_LIST, {"protocol": protocol, "limit": limit}).mappings()]


def save(tx: Connection, payment: Payment, state: State, refunded_minor: int) -> None:
    tx.execute(_SAVE, {"payment_no": payment.payment_no, "state": state.value, "refunded_minor": refunded_minor})


def refund_of_key(tx: Connection, payment: Payment, request_key: str) -> Refund | None:
    """Return the refund of an earlier request with this key."""
    found = tx.execute(_REFUND_OF_KEY, {"payment_no": payment.payment_no, "request_key": request_key})
    row = found.mappings().one_or_none()
    return Refund(**row) if row else None


def refund_by_id(tx: Connection, protocol: str, public_id: str) -> Refund | None:
    row = tx.execute(_REFUND_BY_ID, {"protocol": protocol, "public_id": public_id}).mappings().one_or_none()
    return Refund(**row) if row else None


def add_refund(tx: Connection, payment: Payment, request_key: str, amount_minor: int, *, now: datetime) -> Refund:
    """Insert a refund."""
    public_id = str(uuid4())
    tx.execute(
        _ADD_REFUND,
        {
            "payment_no": payment.payment_no,
            "public_id": public_id,
            "request_key": request_key,
            "amount_minor": amount_minor,
            "now": now,
        },
    )
    return Refund(public_id, payment.public_id, amount_minor, payment.currency, now)


def set_faults(tx: Connection, protocol: str, order_id: str, faults: Iterable[Fault]) -> bool:
    """Set the faults of a payment; return False if there is no such order."""
    found = tx.execute(_SET_FAULTS, {"protocol": protocol, "order_id": order_id, "faults": sorted(faults)})
    return found.one_or_none() is not None


def add_delivery(
    tx: Connection, payment: Payment, message: Message, *, due_at: datetime | None, max_attempts: int
) -> None:
    """Insert a notification to deliver. Without ``due_at`` it is stored but never sent."""
    tx.execute(
        _ADD_DELIVERY,
        {
            "payment_no": payment.payment_no,
            "label": message.label,
            "method": message.method,
            "url": message.url,
            "content_type": message.content_type,
            "body": message.body,
            "wants": message.wants,
            "due_at": due_at,
            "max_attempts": max_attempts,
        },
    )


def claim_due(tx: Connection, *, now: datetime, limit: int, repeat_seconds: float) -> list[Delivery]:
    """Claim due messages and schedule their next attempt. ``repeat_seconds``: first interval, doubled each time."""
    rows = tx.execute(_CLAIM_DUE, {"now": now, "limit": limit, "repeat_seconds": repeat_seconds})
    return [
        Delivery(
            row.delivery_id,
            row.attempts,
            Message(row.label, row.method, row.url, row.content_type, bytes(row.body), row.wants),
        )
        for row in rows
    ]


def save_response(tx: Connection, delivery: Delivery, answer: str, *, delivered: bool) -> None:
    """Store the merchant's response."""
    statement = _DELIVERED if delivered else _NOT_DELIVERED
    tx.execute(statement, {"delivery_id": delivery.delivery_id, "answer": answer[:200]})


def trigger_once(tx: Connection, protocol: str, order_id: str, fault: Fault) -> bool:
    """Mark a fault of an order as triggered; return False if it already was."""
    found = tx.execute(_TRIGGER, {"protocol": protocol, "order_id": order_id, "fault": fault.value})
    return found.one_or_none() is not None


def faults_of_order(tx: Connection, protocol: str, order_id: str, default: Iterable[Fault]) -> frozenset[Fault]:
    """Return the faults of an order. They are assigned at its first request: the next of the plan, else ``default``."""
    assigned = tx.execute(_ASSIGNED, {"protocol": protocol, "order_id": order_id}).scalar_one_or_none()
    if assigned is None:
        planned = tx.execute(_NEXT_OF_PLAN).scalar_one_or_none()
        assigned = sorted(default) if planned is None else planned
        tx.execute(_ASSIGN, {"protocol": protocol, "order_id": order_id, "faults": assigned})
    return frozenset(Fault(name) for name in assigned)


def set_plan(tx: Connection, plan: Sequence[Sequence[str]]) -> None:
    """Set the plan: each new order takes its next list of faults, cyclically. An empty plan removes it."""
    if plan:
        tx.execute(_SET_PLAN, {"plan": json.dumps([list(faults) for faults in plan])})
    else:
        tx.execute(_DROP_PLAN)


def _one(row: RowMapping | None) -> Payment | None:
    return _payment(row) if row else None


def _payment(row: RowMapping) -> Payment:
    values = {name: row[name] for name in Payment.__slots__}
    values["state"] = State(values["state"])
    values["faults"] = frozenset(Fault(name) for name in values["faults"])
    return Payment(**values)
