"""Faults on demand. A payment gets its faults at creation, from the plan or from the settings."""

from collections.abc import Iterable
from enum import StrEnum


class Fault(StrEnum):
    """A fault of one payment."""

    NOTIFY_TWICE = "notify_twice"
    NOTIFY_OUT_OF_ORDER = "notify_out_of_order"
    NOTIFY_LATE = "notify_late"
    NOTIFY_LOST = "notify_lost"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_TERMINAL = "wrong_terminal"
    WRONG_SIGNATURE = "wrong_signature"
    API_SLOW = "api_slow"  # the response to the first call for the order is late
    API_500 = "api_500"  # the first call for the order fails without effect
    API_DEAD = "api_dead"  # the first call for the order has its effect and returns 500


#: Faults of the API. Each happens once per order, so that recovery can be tested.
OF_THE_API = frozenset({Fault.API_SLOW, Fault.API_500, Fault.API_DEAD})

#: Faults of the content of a notification.
SPOILING = frozenset({Fault.WRONG_AMOUNT, Fault.WRONG_TERMINAL, Fault.WRONG_SIGNATURE})


def parse_faults(names: Iterable[str]) -> frozenset[Fault]:
    """Return the faults with these names; raise ValueError that lists unknown names."""
    known = {fault.value for fault in Fault}
    unknown = sorted(set(names) - known)
    if unknown:
        raise ValueError(f"no such fault: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return frozenset(Fault(name) for name in names)
