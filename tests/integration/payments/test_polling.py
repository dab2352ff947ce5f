"""Asking the bank on a schedule: lost notifications, growing intervals, expiry, late money."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from services.payments.polling.tasks import poll_topups
from services.payments.retention.tasks import purge_old_records
from tests.integration.payments.conftest import MakeTown
from tests.integration.payments.servers import DECLINED_CARD, Town
from tests.support.eventually import eventually


@pytest.mark.parametrize("lie", ["notify_lost", "wrong_amount", "wrong_terminal", "wrong_signature"])
@pytest.mark.parametrize("bank", ["tbank", "yookassa", "sber"])
def test_what_notifications_do_not_bring_a_poll_brings(make_town: MakeTown, bank: str, lie: str) -> None:
    town = make_town(bank=bank, topup_poll_first_seconds=0.05)
    town.plan([lie])
    user = town.user()
    topup = user.start()
    user.pay(topup)

    def polled() -> bool:
        poll_topups(town.context)
        return user.status(topup) == "confirmed"

    eventually(polled)
    assert town.credits(topup["transactionID"]) == 1


def test_a_declined_card_is_heard_of_by_polling_too(make_town: MakeTown) -> None:
    town = make_town(topup_poll_first_seconds=0.05)
    town.plan(["notify_lost"])
    user = town.user()
    topup = user.start()
    user.pay(topup, card=DECLINED_CARD)

    def polled() -> bool:
        poll_topups(town.context)
        return user.status(topup) == "failed"

    eventually(polled)


def test_intervals_grow_and_stop_at_the_expiry(make_town: MakeTown) -> None:
    town = make_town(topup_poll_first_seconds=10, topup_poll_max_seconds=60, topup_lifetime_seconds=300)
    topup = town.user().start()
    seen = []
    for seconds in (11, 35, 80, 150, 220, 290):
        poll_topups(town.later(seconds=seconds))
        row = town.rows(
            "SELECT polls, next_poll_at - created_at AS waits, expires_at = next_poll_at AS last FROM topups"
        )
        seen.append((row[0]["polls"], round(row[0]["waits"].total_seconds()), row[0]["last"]))
    assert [polls for polls, _, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert [waits for _, waits, _ in seen] == pytest.approx([31, 75, 140, 210, 280, 300], abs=3)
    assert [last for _, _, last in seen] == [False, False, False, False, False, True]
    assert town.user().town.verdicts(topup["transactionID"]) == set(), "an open payment is nothing to write down"


def test_what_nobody_pays_expires(town_of_each_bank: Town) -> None:
    """The page still works for a moment after our expiry: money that comes then is credited, by the poll alone."""
    town = town_of_each_bank
    town.plan(["notify_lost"])
    user = town.user()
    topup = user.start()
    poll_topups(town.later(hours=2))
    assert user.status(topup) == "expired"
    assert town.bank_rows("SELECT state FROM payments") == [{"state": "NEW"}], "what may be paid now is not cancelled"
    user.pay(topup)
    poll_topups(town.later(hours=3))
    assert user.status(topup) == "confirmed"
    assert town.credits(topup["transactionID"]) == 1


def test_asking_on_ends_when_the_bank_has_ended_it(town_of_each_bank: Town) -> None:
    town = town_of_each_bank
    user = town.user()
    topup = user.start()
    poll_topups(town.later(hours=2))
    _let_the_bank_end_it(town)
    poll_topups(town.later(hours=12))
    assert user.status(topup) == "expired"
    assert town.rows("SELECT next_poll_at FROM topups") == [{"next_poll_at": None}]


@pytest.mark.parametrize("fault", ["notify_twice", "notify_lost"])
@pytest.mark.parametrize("bank", ["tbank", "yookassa", "sber"])
def test_a_payment_that_the_bank_ends_because_nobody_paid_is_expired(
    make_town: MakeTown, bank: str, fault: str
) -> None:
    town = make_town(bank=bank, topup_poll_first_seconds=0.05)
    town.plan([fault])
    user = town.user()
    topup = user.start()
    _let_the_bank_end_it(town)

    def expired() -> bool:
        poll_topups(town.context)
        return user.status(topup) == "expired"

    eventually(expired)
    assert town.credits(topup["transactionID"]) == 0


def test_a_wrong_amount_is_asked_about_until_the_time_is_over(town: Town) -> None:
    town.plan(["notify_lost"])
    user = town.user()
    topup = user.start()
    user.pay(topup)
    town.bank_rows("UPDATE payments SET amount_minor = amount_minor - 1 RETURNING 1")
    poll_topups(town.later(minutes=5))
    assert user.status(topup) == "pending"
    assert town.rows("SELECT 1 FROM topups WHERE next_poll_at IS NOT NULL")
    poll_topups(town.later(hours=2))
    assert user.status(topup) == "expired"
    assert town.credits(topup["transactionID"]) == 0
    assert ("CONFIRMED", "wrong_amount") in town.verdicts(topup["transactionID"])


def test_asking_ends_at_last(make_town: MakeTown) -> None:
    town = make_town(bank="sber", topup_give_up_days=1)
    topup = town.user().start()
    poll_topups(town.later(hours=2))
    poll_topups(town.later(days=3))
    assert town.rows("SELECT status, next_poll_at FROM topups") == [{"status": "expired", "next_poll_at": None}]
    assert town.credits(topup["transactionID"]) == 0


def _let_the_bank_end_it(town: Town) -> None:
    town.bank_rows("UPDATE payments SET expires_at = now() RETURNING 1")
    eventually(lambda: town.bank_rows("SELECT state FROM payments") == [{"state": "DEADLINE_EXPIRED"}])


def test_a_bank_that_is_away_changes_nothing_until_we_give_up(town: Town) -> None:
    user = town.user()
    topup = user.start()
    http = town.context.banks["tbank"]._http  # type: ignore[attr-defined]
    address, http._base_url = http._base_url, "http://127.0.0.1:9/"
    poll_topups(town.later(hours=2))
    assert user.status(topup) == "pending"
    poll_topups(town.later(days=20))
    assert user.status(topup) == "expired"
    http._base_url = address


def test_a_paid_topup_is_never_expired(town: Town) -> None:
    user = town.user()
    topup = user.start()
    town.plan(["notify_lost"])
    with town.bank.db.autocommit() as tx:
        tx.execute(text("UPDATE payments SET faults = '{notify_lost}'"))
    user.pay(topup)
    poll_topups(town.later(hours=2))
    assert user.status(topup) == "confirmed"
    assert town.credits(topup["transactionID"]) == 1


def test_two_schedulers_do_no_harm(make_town: MakeTown) -> None:
    town = make_town(topup_poll_first_seconds=0.01)
    town.plan(["notify_lost"])
    user = town.user()
    topups = [user.start() for _ in range(4)]
    for topup in topups:
        user.pay(topup)

    def all_confirmed() -> bool:
        with ThreadPoolExecutor(4) as threads:
            for done in [threads.submit(poll_topups, town.context) for _ in range(4)]:
                done.result()
        return {user.status(topup) for topup in topups} == {"confirmed"}

    eventually(all_confirmed)
    assert [town.credits(topup["transactionID"]) for topup in topups] == [1] * 4


def test_old_records_are_purged_and_young_ones_are_not(town: Town) -> None:
    user = town.user()
    topup = user.start(key="k")
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    purge_old_records(town.context)
    assert town.rows("SELECT 1 FROM notifications")
    assert town.rows("SELECT 1 FROM idempotency_keys")
    with town.context.db.autocommit() as tx:
        tx.execute(text("UPDATE notifications SET last_received_at = now() - interval '401 days'"))
        tx.execute(text("UPDATE idempotency_keys SET created_at = now() - interval '73 hours'"))
    purge_old_records(town.context)
    assert not town.rows("SELECT 1 FROM notifications")
    assert not town.rows("SELECT 1 FROM idempotency_keys")
    assert town.rows("SELECT 1 FROM topups WHERE confirmed_at <= :now", now=datetime.now(UTC))
