"""What is in progress: compares the deciding service with the ledger, row by row."""

from typing import Final

from tests.faults.chaos.databases import Databases

_PENDING: Final = "SELECT check_id FROM checks WHERE status = 'pending'"
_DUE: Final = "SELECT check_id FROM checks WHERE status = 'active' AND expires_at <= now()"
_FUNDED: Final = "SELECT check_id FROM checks WHERE status IN ('active', 'used', 'expired', 'cancelled')"
_ENDED: Final = "SELECT check_id FROM checks WHERE status IN ('used', 'expired', 'cancelled')"
_OPEN_EVENTS: Final = "SELECT event_id FROM outbox WHERE closed_at IS NULL"
_CONFIRMED: Final = "SELECT topup_id FROM topups WHERE status = 'confirmed'"
_CONFIRMED_ORDERS: Final = """
    SELECT a.bank_order_id FROM attempts a JOIN topups t USING (topup_id)
     WHERE t.status = 'confirmed' AND a.state = 'paid'
"""
_PAID: Final = "SELECT order_id FROM payments WHERE state = 'CONFIRMED'"
_POSTED: Final = "SELECT subject_id FROM transfers WHERE outcome = 'posted' AND kind IN ({kinds})"
_ENDINGS: Final = "'check_accepted', 'check_expired', 'check_cancelled'"


def unsettled(databases: Databases) -> dict[str, int]:
    """Return the number of unsettled items by kind; all zero means settled.

    Read the deciding service before those that follow it. Raise psycopg2.Error without a server.
    """
    paid = databases.ids("sandbox_bank", _PAID)
    confirmed_orders = databases.ids("payments", _CONFIRMED_ORDERS)
    confirmed = databases.ids("payments", _CONFIRMED)
    pending, due = databases.ids("checks", _PENDING), databases.ids("checks", _DUE)
    funded, ended = databases.ids("checks", _FUNDED), databases.ids("checks", _ENDED)
    topups = databases.ids("balance", _POSTED.format(kinds="'topup'"))
    holds = databases.ids("balance", _POSTED.format(kinds="'check_created'"))
    endings = databases.ids("balance", _POSTED.format(kinds=_ENDINGS))
    events = sum(len(databases.ids(name, _OPEN_EVENTS)) for name in ("checks", "payments"))
    return {
        "payments known only to the bank": len(paid - confirmed_orders),
        "confirmed top-ups without a credit": len(confirmed - topups),
        "pending checks": len(pending),
        "due checks that are not expired": len(due),
        "checks without a hold": len(funded - holds),
        "ended checks without a movement": len(ended - endings),
        "unacknowledged events": events,
    }


_SOON: Final = "SELECT check_id FROM checks WHERE status = 'active' AND expires_at <= now() + interval '1 minute'"


def is_still(databases: Databases) -> bool:
    """Return whether nothing will change within a minute, so that all books can be read consistently.

    Raise psycopg2.Error without a server.
    """
    return not databases.ids("checks", _SOON) and not any(unsettled(databases).values())


#: An event is acknowledged after its effect, when the money has already moved.
NOT_MONEY: Final = "unacknowledged events"
