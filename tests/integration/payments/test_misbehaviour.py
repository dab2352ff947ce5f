"""All faults of the sandbox bank, combined and concurrent: each top-up is credited exactly once or not at all.

``TOPUPS_OF_MISBEHAVIOUR=1000`` selects a long run.
"""

import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from services.payments.context import Context
from services.payments.polling.tasks import poll_topups
from tests.integration.payments.conftest import MakeSystem
from tests.integration.payments.servers import BANKS, DECLINED_CARD, PAYING_CARD, TIMEOUT, System, User
from tests.support.eventually import eventually

TOPUPS = int(os.environ.get("TOPUPS_OF_MISBEHAVIOUR", "48"))
AT_ONCE = 12

PLAN = [
    [],
    ["notify_twice"],
    ["notify_out_of_order"],
    ["notify_late"],
    ["notify_lost"],
    ["wrong_amount"],
    ["wrong_terminal"],
    ["wrong_signature"],
    ["api_500"],
    ["api_dead"],
    ["notify_twice", "notify_out_of_order"],
    ["notify_twice", "notify_late"],
    ["api_dead", "notify_lost"],
    ["api_500", "wrong_signature"],
    ["api_slow", "notify_twice"],
    [],
]


def start(user: User, number: int) -> dict[str, Any]:
    """Retry with one key until there is a payment page, as a client does."""
    deadline = time.monotonic() + 60
    while True:
        response = user.post_topup(amount=1_000 + number, key=f"key-{number}")
        if response.status_code == 201:
            content: dict[str, Any] = response.json()
            return content
        assert response.status_code in (409, 502), response.text
        assert time.monotonic() < deadline, f"no page for {number}: {response.text}"
        time.sleep(0.1)  # the client was told to retry shortly


def run_topup(user: User, number: int) -> tuple[dict[str, Any], str]:
    """Start a top-up and act on its page: most are paid, some are declined, cancelled or abandoned."""
    chance = random.Random(number)
    topup = start(user, number)
    action = chance.choices(["pay", "decline", "cancel", "leave"], [6, 1, 1, 1])[0]
    if action != "leave":
        card = {"pay": PAYING_CARD, "decline": DECLINED_CARD, "cancel": ""}[action]
        back = user.pay(topup, card=card, **({"action": "cancel"} if action == "cancel" else {}))
        if chance.random() < 0.3:
            requests.get(back.headers["Location"], allow_redirects=False, timeout=TIMEOUT)
    return topup, action


def settle(system: System, context: Context) -> None:
    """Poll until no top-up is due."""

    def nothing_is_due() -> bool:
        poll_topups(context)
        due = system.rows("SELECT 1 FROM topups WHERE next_poll_at <= :now", now=context.clock.now())
        return not due

    eventually(nothing_is_due, timeout=120)


@pytest.mark.parametrize("bank", BANKS)
def test_each_topup_is_credited_once_or_definitely_not(make_system: MakeSystem, bank: str) -> None:
    system = make_system(
        bank=bank,
        topup_poll_first_seconds=1.0,
        topups_pending_per_user=TOPUPS,
        bank_timeout_seconds=1.5,
        bank_breaker_failures=20,
        bank_breaker_seconds=0.5,
        sandbox={"sandbox_bank_slow_seconds": 2.5, "sandbox_bank_late_seconds": 1.0},
    )
    system.plan(*PLAN)
    user = system.user()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        finished = list(threads.map(lambda number: run_topup(user, number), range(TOPUPS)))
    for minutes in (2, 10, 40, 70, 130, 26 * 60):
        settle(system, system.later(minutes=minutes))

    statuses = {row["topup_id"]: row["status"] for row in system.rows("SELECT topup_id::text, status FROM topups")}
    assert len(statuses) == TOPUPS
    expected = {
        "pay": {"confirmed"},
        "decline": {"failed"},
        "cancel": {"failed"},
        "leave": {"expired"},
    }
    for topup, action in finished:
        assert statuses[topup["transactionID"]] in expected[action], (topup, action)
    confirmed = {topup_id for topup_id, status in statuses.items() if status == "confirmed"}
    events = Counter(row["topup_id"] for row in system.rows("SELECT payload ->> 'topup_id' AS topup_id FROM outbox"))
    assert events == Counter(confirmed), "one event for each confirmed top-up, and none for any other"
    paid = system.bank_rows("SELECT public_id FROM payments WHERE state = 'CONFIRMED'")
    ours = system.rows("SELECT bank_payment_id, topup_id::text FROM attempts WHERE state = 'paid'")
    assert {row["bank_payment_id"] for row in ours} == {row["public_id"] for row in paid}
    assert {row["topup_id"] for row in ours} == confirmed
    assert differences(system, bank) == []


def differences(system: System, bank: str) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    span = {"since": (now - timedelta(days=1)).isoformat(), "until": (now + timedelta(days=1)).isoformat()}
    report = system.as_operator(
        "POST", "/internal/reconciliations", json={"bank": bank, "operator": "test", **span}
    ).json()
    assert report["compared"] >= TOPUPS
    found: list[dict[str, Any]] = report["differences"]
    return found
