"""Misbehaviour on demand. A payment gets its faults when it is made, from the plan or from the settings."""

from collections.abc import Iterable
from enum import StrEnum


class Fault(StrEnum):
    """What can go wrong with one payment."""

    NOTIFY_TWICE = "notify_twice"
    NOTIFY_OUT_OF_ORDER = "notify_out_of_order"
    NOTIFY_LATE = "notify_late"
    NOTIFY_LOST = "notify_lost"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_TERMINAL = "wrong_terminal"
    WRONG_SIGNATURE = "wrong_signature"
    API_SLOW = "api_slow"  # the first call about the order is answered late
    API_500 = "api_500"  # the first call about the order fails, and does nothing
    API_DEAD = "api_dead"  # the first call about the order is done, and answered 500


#: Faults of the interface; each strikes once per order, so that what comes after can be seen.
OF_THE_API = frozenset({Fault.API_SLOW, Fault.API_500, Fault.API_DEAD})

#: Faults of what a notification says.
SPOILING = frozenset({Fault.WRONG_AMOUNT, Fault.WRONG_TERMINAL, Fault.WRONG_SIGNATURE})


def parse_faults(names: Iterable[str]) -> frozenset[Fault]:
    """The faults of these names; ValueError names what is not one."""
    known = {fault.value for fault in Fault}
    unknown = sorted(set(names) - known)
    if unknown:
        raise ValueError(f"no such fault: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return frozenset(Fault(name) for name in names)
