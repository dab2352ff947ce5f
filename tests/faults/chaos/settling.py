"""What is not settled yet: counted one by one, decider against ledger, as often as anybody looks."""

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
    """How many things of each kind are under way; all zero: everything is settled.

    Raises psycopg2.Error when the server is away. Deciders are read before those who follow them.
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
        "payments that only the bank knows of": len(paid - confirmed_orders),
        "top-ups without their money": len(confirmed - topups),
        "checks that are not decided": len(pending),
        "checks that are due and not expired": len(due),
        "checks without a hold": len(funded - holds),
        "ended checks whose money has not moved": len(ended - endings),
        "events that are not acknowledged": events,
    }


_SOON: Final = "SELECT check_id FROM checks WHERE status = 'active' AND expires_at <= now() + interval '1 minute'"


def is_still(databases: Databases) -> bool:
    """Whether nothing will move by itself in the next minute either, so that all books can be read as one.

    Raises psycopg2.Error.
    """
    return not databases.ids("checks", _SOON) and not any(unsettled(databases).values())


#: Events may be acknowledged after their effect; the money is where it belongs before that.
NOT_MONEY: Final = "events that are not acknowledged"
