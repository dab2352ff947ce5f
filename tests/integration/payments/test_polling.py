"""Polling banks by the schedule: lost notifications, growing intervals, expiry, late payments."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from services.payments.banks.base import BankUnavailable, Notification, PaymentOrder
from services.payments.polling.tasks import poll_topups
from services.payments.retention.tasks import purge_old_records
from tests.integration.payments.conftest import MakeSystem
from tests.integration.payments.servers import DECLINED_CARD, System
from tests.support.databases import as_owner
from tests.support.eventually import eventually


@pytest.mark.parametrize("fault", ["notify_lost", "wrong_amount", "wrong_terminal", "wrong_signature"])
@pytest.mark.parametrize("bank", ["tbank", "yookassa", "sber"])
def test_poll_confirms_a_payment_whose_notification_was_lost_or_wrong(
    make_system: MakeSystem, bank: str, fault: str
) -> None:
    system = make_system(bank=bank, topup_poll_first_seconds=0.05)
    system.plan([fault])
    user = system.user()
    topup = user.start()
    user.pay(topup)

    def polled() -> bool:
        poll_topups(system.context)
        return user.status(topup) == "confirmed"

    eventually(polled)
    assert system.credits(topup["transactionID"]) == 1


def test_poll_reports_a_declined_card(make_system: MakeSystem) -> None:
    system = make_system(topup_poll_first_seconds=0.05)
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    user.pay(topup, card=DECLINED_CARD)

    def polled() -> bool:
        poll_topups(system.context)
        return user.status(topup) == "failed"

    eventually(polled)


def test_intervals_grow_and_stop_at_the_expiry(make_system: MakeSystem) -> None:
    system = make_system(topup_poll_first_seconds=10, topup_poll_max_seconds=60, topup_lifetime_seconds=300)
    topup = system.user().start()
    seen = []
    for seconds in (11, 35, 80, 150, 220, 290):
        poll_topups(system.later(seconds=seconds))
        row = system.rows(
            "SELECT polls, next_poll_at - created_at AS waits, expires_at = next_poll_at AS last FROM topups"
        )
        seen.append((row[0]["polls"], round(row[0]["waits"].total_seconds()), row[0]["last"]))
    assert [polls for polls, _, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert [waits for _, waits, _ in seen] == pytest.approx([31, 75, 140, 210, 280, 300], abs=3)
    assert [last for _, _, last in seen] == [False, False, False, False, False, True]
    assert system.user().system.verdicts(topup["transactionID"]) == set(), "an open payment is not recorded"


def test_unpaid_top_up_expires_and_a_late_payment_is_credited(system_of_each_bank: System) -> None:
    """The page is payable for some time after expiry: a payment in that time is credited by the poll alone."""
    system = system_of_each_bank
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    poll_topups(system.later(hours=2))
    assert user.status(topup) == "expired"
    assert system.bank_rows("SELECT state FROM payments") == [{"state": "NEW"}], "a payable payment is not cancelled"
    user.pay(topup)
    poll_topups(system.later(hours=3))
    assert user.status(topup) == "confirmed"
    assert system.credits(topup["transactionID"]) == 1


def test_polling_stops_when_the_bank_has_ended_the_payment(system_of_each_bank: System) -> None:
    """The bank's own notification is lost: it would race the poll that is tested."""
    system = system_of_each_bank
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    poll_topups(system.later(hours=2))
    _expire_at_bank(system)
    poll_topups(system.later(hours=12))
    assert user.status(topup) == "expired"
    assert system.rows("SELECT next_poll_at FROM topups") == [{"next_poll_at": None}]


@pytest.mark.parametrize("fault", ["notify_twice", "notify_lost"])
@pytest.mark.parametrize("bank", ["tbank", "yookassa", "sber"])
def test_payment_that_the_bank_expires_is_expired(make_system: MakeSystem, bank: str, fault: str) -> None:
    system = make_system(bank=bank, topup_poll_first_seconds=0.05)
    system.plan([fault])
    user = system.user()
    topup = user.start()
    _expire_at_bank(system)

    def expired() -> bool:
        poll_topups(system.context)
        return user.status(topup) == "expired"

    eventually(expired)
    assert system.credits(topup["transactionID"]) == 0


def test_held_payment_is_not_expired(system: System) -> None:
    """The bank has reserved the money: the payment is in progress after the top-up's time too."""
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    system.bank_rows("UPDATE payments SET state = 'AUTHORIZED' RETURNING 1")
    poll_topups(system.later(hours=2))
    assert user.status(topup) == "pending"
    system.bank_rows("UPDATE payments SET state = 'CONFIRMED' RETURNING 1")
    poll_topups(system.later(hours=3))
    assert user.status(topup) == "confirmed"
    assert system.credits(topup["transactionID"]) == 1


def test_failed_poll_does_not_stop_the_batch(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """One poll of the batch fails, whichever top-up it is for: the others are confirmed."""
    system.plan(["notify_lost"])
    user = system.user()
    topups = [user.start() for _ in range(3)]
    for topup in topups:
        user.pay(topup)
    bank = system.context.banks["tbank"]
    fetch_status = bank.fetch_status
    calls: list[PaymentOrder] = []

    def fail_first(order: PaymentOrder) -> Notification:
        calls.append(order)
        if len(calls) == 1:
            raise BankUnavailable("no response")
        return fetch_status(order)

    monkeypatch.setattr(bank, "fetch_status", fail_first)
    poll_topups(system.later(minutes=5))
    assert len(calls) == 3
    assert sorted(user.status(topup) for topup in topups) == ["confirmed", "confirmed", "pending"]


def test_payment_with_a_wrong_amount_is_polled_until_it_expires(system: System) -> None:
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    user.pay(topup)
    system.bank_rows("UPDATE payments SET amount_minor = amount_minor - 1 RETURNING 1")
    poll_topups(system.later(minutes=5))
    assert user.status(topup) == "pending"
    assert system.rows("SELECT 1 FROM topups WHERE next_poll_at IS NOT NULL")
    poll_topups(system.later(hours=2))
    assert user.status(topup) == "expired"
    assert system.credits(topup["transactionID"]) == 0
    assert ("CONFIRMED", "wrong_amount") in system.verdicts(topup["transactionID"])


def test_polling_stops_after_the_give_up_period(make_system: MakeSystem) -> None:
    system = make_system(bank="sber", topup_give_up_days=1)
    topup = system.user().start()
    poll_topups(system.later(hours=2))
    poll_topups(system.later(days=3))
    assert system.rows("SELECT status, next_poll_at FROM topups") == [{"status": "expired", "next_poll_at": None}]
    assert system.credits(topup["transactionID"]) == 0


def _expire_at_bank(system: System) -> None:
    system.bank_rows("UPDATE payments SET expires_at = now() RETURNING 1")
    eventually(lambda: system.bank_rows("SELECT state FROM payments") == [{"state": "DEADLINE_EXPIRED"}])


def test_unreachable_bank_changes_nothing_until_the_give_up_period_ends(system: System) -> None:
    user = system.user()
    topup = user.start()
    http = system.context.banks["tbank"]._http  # type: ignore[attr-defined]
    address, http._base_url = http._base_url, "http://127.0.0.1:9/"
    poll_topups(system.later(hours=2))
    assert user.status(topup) == "pending"
    poll_topups(system.later(days=20))
    assert user.status(topup) == "expired"
    http._base_url = address


def test_paid_top_up_is_not_expired(system: System) -> None:
    user = system.user()
    topup = user.start()
    system.plan(["notify_lost"])
    with system.bank.db.autocommit() as tx:
        tx.execute(text("UPDATE payments SET faults = '{notify_lost}'"))
    user.pay(topup)
    poll_topups(system.later(hours=2))
    assert user.status(topup) == "confirmed"
    assert system.credits(topup["transactionID"]) == 1


def test_concurrent_polls_credit_once(make_system: MakeSystem) -> None:
    system = make_system(topup_poll_first_seconds=0.01)
    system.plan(["notify_lost"])
    user = system.user()
    topups = [user.start() for _ in range(4)]
    for topup in topups:
        user.pay(topup)

    def all_confirmed() -> bool:
        with ThreadPoolExecutor(4) as threads:
            for done in [threads.submit(poll_topups, system.context) for _ in range(4)]:
                done.result()
        return {user.status(topup) for topup in topups} == {"confirmed"}

    eventually(all_confirmed)
    assert [system.credits(topup["transactionID"]) for topup in topups] == [1] * 4


def test_only_old_records_are_purged(system: System) -> None:
    user = system.user()
    topup = user.start(key="k")
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    purge_old_records(system.context)
    assert system.rows("SELECT 1 FROM notifications")
    assert system.rows("SELECT 1 FROM idempotency_keys")
    with as_owner(system.context.db) as tx:
        tx.execute(text("UPDATE notifications SET last_received_at = now() - interval '401 days'"))
        tx.execute(text("UPDATE idempotency_keys SET created_at = now() - interval '73 hours'"))
    purge_old_records(system.context)
    assert not system.rows("SELECT 1 FROM notifications")
    assert not system.rows("SELECT 1 FROM idempotency_keys")
    assert system.rows("SELECT 1 FROM topups WHERE confirmed_at <= :now", now=datetime.now(UTC))
