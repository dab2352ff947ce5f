"""Checks of the lists' format against the source document."""

import re
from typing import Any, Final

from launcher.demo.failure import check

NUMBER: Final = re.compile(r"^\d{4}-\d{4}-\d{4}$")
CODE: Final = re.compile(r"^\d{4}$")
TIME: Final = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

ACTIVE: Final = {"fastcheck", "amount", "currency", "code", "createdAt", "expiration", "status"}
CREATED: Final = {"fastcheck", "amount", "currency", "type", "createdAt", "status"}
ACCEPTED: Final = {"fastcheck", "amount", "currency", "type", "acceptedAt", "status"}
ENDED_AT: Final = {"used": "usedAt", "expired": "expiredAt", "cancelled": "cancelledAt"}


def check_active(item: dict[str, Any]) -> None:
    """Check the format of an item of ``GET /fastcheck/active`` without a note."""
    check(item.keys() == ACTIVE, f"an active check has the fields {sorted(item)}")
    _check_values(item, times=("createdAt", "expiration"))
    check(bool(CODE.match(item["code"])), f"the code {item['code']!r} does not have four digits")
    check(item["status"] == "active", f"an active check has the status {item['status']!r}")


def check_history(item: dict[str, Any]) -> None:
    """Check the format of an item of ``GET /fastcheck/history``."""
    if item.get("type") == "accepted":
        check(item.keys() == ACCEPTED and item["status"] == "used", f"an accepted check is shown as {item}")
        _check_values(item, times=("acceptedAt",))
        return
    ended_at = ENDED_AT.get(str(item.get("status")), "?")
    check(item.keys() == CREATED | {ended_at} and item["type"] == "created", f"a created check is shown as {item}")
    _check_values(item, times=("createdAt", ended_at))


def _check_values(item: dict[str, Any], times: tuple[str, ...]) -> None:
    check(bool(NUMBER.match(item["fastcheck"])), f"the number {item['fastcheck']!r} is not like 1234-5678-0001")
    check(type(item["amount"]) is int, f"the amount {item['amount']!r} is not an integer")
    check(item["currency"] == "RUB", f"the currency is {item['currency']!r}")
    for name in times:
        check(bool(TIME.match(item[name])), f"{name} {item[name]!r} is not UTC in whole seconds")
