"""What becomes of a system that is left to itself: everybody works until nobody has anything to do.

Whatever waits for its time is helped by a leap of the clock. What is not at its end after the last leap is told.
"""

from collections.abc import Iterator
from typing import Final

from tests.faults.crash_points.system import System

#: Seconds from one round to the next. Together they are longer than any turn, lease or pause of the services; the time
#: in which a top-up can be paid is longer.
LEAPS: Final = (0, 75, 75, 300, 600)

_OPEN_EVENTS: Final = "SELECT count(*) FROM outbox WHERE closed_at IS NULL"

#: What is not wrong yet, and would be if it stayed: service, in words, how much of it.
_UNFINISHED: Final = (
    ("checks", "undecided checks", "SELECT count(*) FROM checks WHERE status = 'pending'"),
    (
        "checks", "overdue checks",
        "SELECT count(*) FROM checks WHERE status = 'active' AND closes_at <= clock_timestamp()",
    ),
    ("checks", "open events of checks", _OPEN_EVENTS),
    ("payments", "open events of payments", _OPEN_EVENTS),
    ("payments", "unfinished refunds", "SELECT count(*) FROM refunds WHERE finished_at IS NULL"),
    ("balance", "events that are neither processed nor parked",
     "SELECT count(*) FROM inbox WHERE processed_at IS NULL AND parked_at IS NULL"),
)  # fmt: skip

_PAID_ORDERS: Final = """
    SELECT order_id FROM payments WHERE state IN ('CONFIRMED', 'PARTIAL_REFUNDED', 'REFUNDED')
"""
_CREDITED_ORDERS: Final = "SELECT bank_order_id FROM attempts WHERE state IN ('paid', 'surplus')"


def settle(system: System) -> None:
    """Bring back who is dead, and let everybody in the background work, until nothing is left or no leap helps."""
    system.revive()
    for seconds in LEAPS:
        system.leap(system.leapt + seconds)
        system.finish("background")
        if not any(left(system)):
            break


def left(system: System) -> Iterator[str]:
    """What is not at its end."""
    for service, name, query in _UNFINISHED:
        count = system.value(service, query)
        if count:
            yield f"{count} {name}"
    paid = {row[0] for row in system.databases.rows("sandbox_bank", _PAID_ORDERS)}
    credited = {row[0] for row in system.databases.rows("payments", _CREDITED_ORDERS)}
    if paid - credited:
        yield f"{len(paid - credited)} payments of which nobody knows that they are paid"
