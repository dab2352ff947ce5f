"""SQL of top-ups and their attempts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from services.payments.models import Attempt, AttemptState, TopUp, TopUpStatus

TOPUP_COLUMNS: Final = """t.topup_id, t.topup_no, t.user_id, t.bank, t.amount_minor, t.currency, t.status, t.return_url,
    t.created_at, t.expires_at, t.confirmed_at, t.refunded_minor, t.polls"""
_ATTEMPT: Final = "a.attempt_no, a.bank_order_id, a.state, a.bank_payment_id, a.payment_url"

_INSERT = text("""
    WITH topup AS (
        INSERT INTO topups (topup_id, user_id, bank, amount_minor, currency, status, return_url, created_at, expires_at,
                            busy_until, next_poll_at)
        SELECT CAST(:topup_id AS uuid), CAST(:user_id AS uuid), :bank, :amount_minor, :currency, 'pending', :return_url,
               CAST(:created_at AS timestamptz), CAST(:expires_at AS timestamptz), CAST(:busy_until AS timestamptz),
               CAST(:expires_at AS timestamptz)
         WHERE (SELECT count(*) FROM (SELECT 1 FROM topups
                                       WHERE user_id = :user_id AND status = 'pending' AND expires_at > :created_at
                                       LIMIT :most_pending) unpaid) < :most_pending
        RETURNING topup_id, topup_no, bank
    ), attempt AS (
        INSERT INTO attempts (bank, bank_order_id, topup_id, attempt_no, state)
        SELECT bank, :bank_order_id, topup_id, 1, 'creating' FROM topup
    )
    SELECT topup_no FROM topup
""")

_FIND = text(f"""
    SELECT {TOPUP_COLUMNS}, {_ATTEMPT}
      FROM topups t JOIN attempts a USING (topup_id)
     WHERE t.topup_id = :topup_id
     ORDER BY a.attempt_no DESC
     LIMIT 1
""")  # noqa: S608  the columns are ours

_PAID_ORDER = text("SELECT bank_order_id FROM attempts WHERE topup_id = :topup_id AND state = 'paid'")

_FIND_ATTEMPT = text(f"""
    SELECT {TOPUP_COLUMNS}, {_ATTEMPT}
      FROM attempts a JOIN topups t USING (topup_id)
     WHERE t.topup_id = :topup_id AND a.bank_order_id = :bank_order_id
""")  # noqa: S608

_ATTEMPTS = text(f"""
    SELECT a.topup_id, {_ATTEMPT} FROM attempts a WHERE a.topup_id = :topup_id ORDER BY a.attempt_no
""")  # noqa: S608

_LOCK = text(f"SELECT {TOPUP_COLUMNS} FROM topups t WHERE t.topup_id = :topup_id FOR UPDATE")  # noqa: S608

# Only one of several requests, or of a request and the scheduled task, opens the page at the bank.
_CLAIM_LEASE = text("""
    UPDATE topups SET busy_until = :busy_until
     WHERE topup_id = :topup_id AND status = 'pending' AND (busy_until IS NULL OR busy_until <= :now)
    RETURNING 1
""")

_RELEASE_LEASE = text("UPDATE topups SET busy_until = NULL WHERE topup_id = :topup_id")

_STORE_PAYMENT = text("""
    WITH attempt AS (
        UPDATE attempts
           SET state = CASE WHEN state = 'creating' THEN 'payable' ELSE state END,
               bank_payment_id = :bank_payment_id,
               payment_url = :payment_url
         WHERE bank = :bank AND bank_order_id = :bank_order_id AND state IN ('creating', 'paid', 'surplus')
        RETURNING topup_id
    )
    UPDATE topups t
       SET busy_until = NULL,
           next_poll_at = CASE WHEN t.status = 'pending' THEN CAST(:next_poll_at AS timestamptz) ELSE t.next_poll_at END
      FROM attempt WHERE t.topup_id = attempt.topup_id
    RETURNING 1
""")

_VOID_ATTEMPT = text("""
    UPDATE attempts SET state = 'void', note = :note, closed_at = now()
     WHERE bank = :bank AND bank_order_id = :bank_order_id AND state = 'creating'
""")

_NOTE_ON_ATTEMPT = text("""
    UPDATE attempts SET note = :note, bank_payment_id = COALESCE(:bank_payment_id, bank_payment_id)
     WHERE bank = :bank AND bank_order_id = :bank_order_id
""")

_ADD_ATTEMPT = text("""
    INSERT INTO attempts (bank, bank_order_id, topup_id, attempt_no, state)
    VALUES (:bank, :bank_order_id, :topup_id, :attempt_no, 'creating')
    ON CONFLICT DO NOTHING
""")

# Every credit locks both rows with this statement, so that concurrent notifications are serialized.
_LOCK_BY_ORDER = text(f"""
    SELECT {TOPUP_COLUMNS}, {_ATTEMPT},
           EXISTS (SELECT 1 FROM attempts o
                    WHERE o.bank = :bank AND o.bank_payment_id = :bank_payment_id
                      AND o.bank_order_id <> a.bank_order_id) AS payment_is_of_another_order
      FROM attempts a JOIN topups t USING (topup_id)
     WHERE a.bank = :bank AND a.bank_order_id = :bank_order_id
       FOR UPDATE OF a, t
""")  # noqa: S608

_ORDER_OF_PAYMENT = text("""
    SELECT bank_order_id FROM attempts
     WHERE bank = :bank AND bank_payment_id = :bank_payment_id
     ORDER BY attempt_no DESC LIMIT 1
""")

_SAVE_STATUS = text("""
    UPDATE topups
       SET status = CAST(:status AS text),
           confirmed_at = CASE WHEN CAST(:status AS text) = 'confirmed' THEN COALESCE(confirmed_at, :now)
                               ELSE confirmed_at END,
           next_poll_at = :next_poll_at
     WHERE topup_id = :topup_id AND status = :was
    RETURNING 1
""")

_ADD_REFUNDED = text("UPDATE topups SET refunded_minor = refunded_minor + :amount_minor WHERE topup_id = :topup_id")

_SAVE_ATTEMPT_STATE = text("""
    UPDATE attempts SET state = :state WHERE bank = :bank AND bank_order_id = :bank_order_id
""")

_LEARN_PAYMENT_ID = text("""
    UPDATE attempts SET bank_payment_id = :bank_payment_id
     WHERE bank = :bank AND bank_order_id = :bank_order_id AND bank_payment_id IS NULL
""")

_LIST = text(f"""
    SELECT {TOPUP_COLUMNS} FROM topups t
     WHERE t.user_id = :user_id AND t.topup_no < :before_no
     ORDER BY t.topup_no DESC
     LIMIT :limit
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Located:
    """A top-up and one of its attempts.

    ``payment_is_of_another_order``: the payment id of the lookup is stored with a different order.
    """

    topup: TopUp
    attempt: Attempt
    payment_is_of_another_order: bool = False


def insert(
    tx: Connection, topup: TopUp, bank_order_id: str, *, busy_until: datetime, most_pending: int = 2**31 - 1
) -> int | None:
    """Insert a top-up with its first attempt; return its sequence number.

    Returns None, and inserts nothing, if the user has ``most_pending`` unpaid top-ups. Concurrent requests of one user
    can exceed that number.
    """
    number: int | None = tx.execute(
        _INSERT,
        {
            "topup_id": topup.topup_id,
            "user_id": topup.user_id,
            "bank": topup.bank,
            "amount_minor": topup.amount_minor,
            "currency": topup.currency,
            "return_url": topup.return_url,
            "created_at": topup.created_at,
            "expires_at": topup.expires_at,
            "busy_until": busy_until,
            "bank_order_id": bank_order_id,
            "most_pending": most_pending,
        },
    ).scalar_one_or_none()
    return number


def find(tx: Connection, topup_id: UUID) -> Located | None:
    """Return a top-up with its latest attempt."""
    row = tx.execute(_FIND, {"topup_id": topup_id}).mappings().one_or_none()
    return _located(row) if row else None


def paid_order(tx: Connection, topup_id: UUID) -> str:
    """Return the order number of the attempt that was credited."""
    number: str = tx.execute(_PAID_ORDER, {"topup_id": topup_id}).scalar_one()
    return number


def find_attempt(tx: Connection, topup_id: UUID, bank_order_id: str) -> Located | None:
    """Return a top-up with the attempt of this order number."""
    row = tx.execute(_FIND_ATTEMPT, {"topup_id": topup_id, "bank_order_id": bank_order_id}).mappings().one_or_none()
    return _located(row) if row else None


def attempts_of(tx: Connection, topup_id: UUID) -> list[Attempt]:
    """Return all attempts of a top-up, oldest first."""
    return [_attempt(row) for row in tx.execute(_ATTEMPTS, {"topup_id": topup_id}).mappings()]


def lock(tx: Connection, topup_id: UUID) -> TopUp | None:
    row = tx.execute(_LOCK, {"topup_id": topup_id}).mappings().one_or_none()
    return topup_of(row) if row else None


def list_of_user(tx: Connection, user_id: UUID, *, before_no: int, limit: int) -> list[TopUp]:
    """Return a user's top-ups before a sequence number, newest first."""
    rows = tx.execute(_LIST, {"user_id": user_id, "before_no": before_no, "limit": limit}).mappings()
    return [topup_of(row) for row in rows]


def claim_lease(tx: Connection, topup_id: UUID, *, now: datetime, busy_until: datetime) -> bool:
    """Claim the exclusive right to open a pending top-up; return False while another lease is valid."""
    found = tx.execute(_CLAIM_LEASE, {"topup_id": topup_id, "now": now, "busy_until": busy_until})
    return found.one_or_none() is not None


def release_lease(tx: Connection, topup_id: UUID) -> None:
    tx.execute(_RELEASE_LEASE, {"topup_id": topup_id})


def store_payment(
    tx: Connection, topup: TopUp, attempt: Attempt, *, bank_payment_id: str, payment_url: str, next_poll_at: datetime
) -> bool:
    """Store the payment page of an attempt; return False if the attempt was voided meanwhile."""
    found = tx.execute(
        _STORE_PAYMENT,
        {
            "bank": topup.bank,
            "bank_order_id": attempt.bank_order_id,
            "bank_payment_id": bank_payment_id,
            "payment_url": payment_url,
            "next_poll_at": next_poll_at,
        },
    )
    return found.one_or_none() is not None


def void_attempt(tx: Connection, bank: str, attempt: Attempt, *, note: str) -> bool:
    """Void an attempt that has no page; return False if it is in another state by now."""
    found = tx.execute(_VOID_ATTEMPT, {"bank": bank, "bank_order_id": attempt.bank_order_id, "note": note})
    return found.rowcount == 1


def note_on_attempt(tx: Connection, bank: str, attempt: Attempt, *, bank_payment_id: str | None, note: str) -> None:
    """Store what the bank reported about a void attempt."""
    tx.execute(
        _NOTE_ON_ATTEMPT,
        {"bank": bank, "bank_order_id": attempt.bank_order_id, "bank_payment_id": bank_payment_id, "note": note},
    )


def add_attempt(tx: Connection, topup: TopUp, *, attempt_no: int, bank_order_id: str) -> bool:
    """Insert the next attempt of a top-up; return False if it exists."""
    found = tx.execute(
        _ADD_ATTEMPT,
        {"bank": topup.bank, "bank_order_id": bank_order_id, "topup_id": topup.topup_id, "attempt_no": attempt_no},
    )
    return found.rowcount == 1


def lock_by_order(tx: Connection, bank: str, bank_order_id: str, bank_payment_id: str) -> Located | None:
    """Lock the attempt with this order number and its top-up."""
    row = (
        tx.execute(_LOCK_BY_ORDER, {"bank": bank, "bank_order_id": bank_order_id, "bank_payment_id": bank_payment_id})
        .mappings()
        .one_or_none()
    )
    return _located(row, payment_is_of_another_order=row["payment_is_of_another_order"]) if row else None


def order_of_payment(tx: Connection, bank: str, bank_payment_id: str) -> str | None:
    """Return the order number of a bank's payment, for notifications that name none."""
    found: str | None = tx.execute(
        _ORDER_OF_PAYMENT, {"bank": bank, "bank_payment_id": bank_payment_id}
    ).scalar_one_or_none()
    return found


def save_status(
    tx: Connection, topup: TopUp, status: TopUpStatus, *, now: datetime, next_poll_at: datetime | None = None
) -> bool:
    """Change the status of a top-up. Without ``next_poll_at``, polling ends.

    Returns False if the status of the row differs from ``topup``, which is impossible while its lock is held. Raises
    IllegalTransition.
    """
    found = tx.execute(
        _SAVE_STATUS,
        {
            "topup_id": topup.topup_id,
            "was": topup.status.value,
            "status": topup.must_become(status).value,
            "now": now,
            "next_poll_at": next_poll_at,
        },
    )
    return found.one_or_none() is not None


def add_refunded(tx: Connection, topup: TopUp, amount_minor: int) -> None:
    """Add to the refunded amount of a top-up, in minor units."""
    tx.execute(_ADD_REFUNDED, {"topup_id": topup.topup_id, "amount_minor": amount_minor})


def save_attempt_state(tx: Connection, bank: str, bank_order_id: str, state: AttemptState) -> None:
    """Store that the payment of an attempt is accounted for."""
    tx.execute(_SAVE_ATTEMPT_STATE, {"bank": bank, "bank_order_id": bank_order_id, "state": state.value})


def learn_payment_id(tx: Connection, bank: str, bank_order_id: str, bank_payment_id: str) -> None:
    """Store the bank's payment id, if its notification arrives before its response to the creation."""
    tx.execute(_LEARN_PAYMENT_ID, {"bank": bank, "bank_order_id": bank_order_id, "bank_payment_id": bank_payment_id})


def topup_of(row: RowMapping) -> TopUp:
    return TopUp(
        topup_id=row["topup_id"],
        topup_no=row["topup_no"],
        user_id=row["user_id"],
        bank=row["bank"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        status=TopUpStatus(row["status"]),
        return_url=row["return_url"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        confirmed_at=row["confirmed_at"],
        refunded_minor=row["refunded_minor"],
        polls=row["polls"],
    )


def _located(row: RowMapping, *, payment_is_of_another_order: bool = False) -> Located:
    return Located(topup_of(row), _attempt(row), payment_is_of_another_order)


def _attempt(row: RowMapping) -> Attempt:
    return Attempt(
        topup_id=row["topup_id"],
        attempt_no=row["attempt_no"],
        bank_order_id=row["bank_order_id"],
        state=AttemptState(row["state"]),
        bank_payment_id=row["bank_payment_id"],
        payment_url=row["payment_url"],
    )
