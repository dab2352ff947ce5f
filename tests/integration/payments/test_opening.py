"""Opening the payment page of a top-up while the bank fails: the result is one payable payment, never two."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

import pytest
import requests
from sqlalchemy import text

from services.gateway.config import GatewaySettings
from services.payments.banks.base import BankUnavailable
from services.payments.models import AttemptState
from services.payments.polling.tasks import poll_topups
from services.payments.topups import opening, repository
from tests.integration.payments.conftest import MakeSystem
from tests.integration.payments.servers import System
from tests.support.eventually import eventually


def payable(system: System) -> int:
    """Return the number of payments that can still be paid at the bank."""
    return len(system.bank_rows("SELECT 1 FROM payments WHERE state = 'NEW'"))


def test_failed_call_is_retried_within_the_request(system_of_each_bank: System) -> None:
    system = system_of_each_bank
    system.plan(["api_500"], [])
    user = system.user()
    topup = user.start(key="k")
    assert payable(system) == 1
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    assert system.credits(topup["transactionID"]) == 1


def test_payment_created_by_a_failed_call_is_voided_or_reused(system_of_each_bank: System) -> None:
    """No user was given its page: it is cancelled if the bank can do that, and another payment is created."""
    system = system_of_each_bank
    system.plan(["api_dead"], [])
    user = system.user()
    topup = user.start(key="k")
    bank = system.context.settings.bank
    if bank == "yookassa":
        assert len(system.bank_rows("SELECT 1 FROM payments")) == 1, "the same key is the same payment"
    else:
        attempts = system.rows("SELECT attempt_no, state, note FROM attempts ORDER BY attempt_no")
        assert [row["state"] for row in attempts] == ["void", "payable"]
        done = {"tbank": "cancelled at the bank", "sber": "left open at the bank"}[bank]
        assert attempts[0]["note"].startswith(done)
    assert payable(system) == (2 if bank == "sber" else 1)
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    assert system.credits(topup["transactionID"]) == 1


def test_repeated_failures_are_retried_until_a_page_is_open(system_of_each_bank: System) -> None:
    system = system_of_each_bank
    system.plan(["api_500"], ["api_dead"], ["api_500"], ["api_dead"], [])
    user = system.user()
    responses = [user.post_topup(key="k").status_code for _ in range(3)]
    assert set(responses) <= {201, 502}
    assert responses[-1] == 201
    topup = user.start(key="k")
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    assert system.credits(topup["transactionID"]) == 1


def test_timeout_is_reported_and_the_same_key_opens_one_page(make_system: MakeSystem) -> None:
    system = make_system(bank_timeout_seconds=1.7, sandbox={"sandbox_bank_slow_seconds": 3.0})
    system.plan(["api_slow"], [])
    user = system.user()
    first = user.post_topup(key="k")
    assert (first.status_code, first.json()["code"]) == (502, "bank_unavailable")
    second = eventually(lambda: user.post_topup(key="k").json().get("paymentUrl"))
    assert len(system.rows("SELECT 1 FROM topups")) == 1
    # The bank completes the first call late: its payment exists, but no user was given its page.
    eventually(lambda: len(system.bank_rows("SELECT 1 FROM payments")) == 2)
    assert user.post_topup(key="k").json()["paymentUrl"] == second
    page = system.bank_rows("SELECT page_key FROM payments ORDER BY payment_no DESC")
    assert sum(second.endswith(row["page_key"]) for row in page) == 1


def test_rejection_by_the_bank_fails_the_top_up(make_system: MakeSystem) -> None:
    system = make_system(topup_description="x" * 80)
    tbank = system.context.banks["tbank"]
    user = system.user()
    with _broken_request(tbank, "Init", Amount=-5):
        refused = user.post_topup(key="k")
    assert (refused.status_code, refused.json()["code"]) == (502, "bank_refused")
    assert user.post_topup(key="k").json()["code"] == "bank_refused"
    assert system.rows("SELECT status FROM topups") == [{"status": "failed"}]


def test_wrong_merchant_password_does_not_fail_the_top_up(make_system: MakeSystem) -> None:
    system = make_system()
    user = system.user()
    with _broken_request(system.context.banks["tbank"], "Init", Token="0" * 64):
        response = user.post_topup(key="k")
    assert (response.status_code, response.json()["code"]) == (502, "bank_unavailable")
    assert user.post_topup(key="k").status_code == 201


def test_concurrent_request_with_the_same_key_is_rejected(make_system: MakeSystem) -> None:
    system = make_system(bank_timeout_seconds=3.0, sandbox={"sandbox_bank_slow_seconds": 1.0})
    system.plan(["api_slow"])
    user = system.user()
    with ThreadPoolExecutor(6) as threads:
        responses = list(threads.map(lambda _: user.post_topup(key="same"), range(6)))
    codes = sorted(response.status_code for response in responses)
    assert codes == [201, 409, 409, 409, 409, 409]
    assert len(system.bank_rows("SELECT 1 FROM payments")) == 1
    assert {response.json()["code"] for response in responses if response.status_code == 409} == {"request_in_progress"}


def test_lease_lasts_as_long_as_the_gateway_waits(make_system: MakeSystem) -> None:
    system = make_system(bank_timeout_seconds=3.0, sandbox={"sandbox_bank_slow_seconds": 1.0})
    system.plan(["api_slow"])
    user = system.user()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(user.post_topup, key="k")
        lease = "SELECT extract(epoch FROM busy_until - created_at) AS seconds FROM topups WHERE busy_until IS NOT NULL"
        seconds = eventually(lambda: system.rows(lease))[0]["seconds"]
        assert seconds == GatewaySettings.model_fields["payments_timeout_seconds"].default
        assert running.result().status_code == 201
    assert system.rows(lease) == [], "a finished request releases its lease"


def test_request_with_an_expired_lease_does_not_change_the_page_of_its_successor(make_system: MakeSystem) -> None:
    """The lease of the first request expires during its call to the bank; the second one opens a page."""
    system = make_system(bank_timeout_seconds=1.4, sandbox={"sandbox_bank_slow_seconds": 2.5})
    system.plan(["api_slow"], [])
    user = system.user()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(user.post_topup, key="k")
        eventually(lambda: system.rows("SELECT 1 FROM topups"))
        with system.context.db.autocommit() as tx:
            tx.execute(text("UPDATE topups SET busy_until = now() - interval '1 second'"))
        second = user.start(key="k")
        assert first.result().status_code in (201, 502)
    if first.result().status_code == 201:
        assert first.result().json()["paymentUrl"] == second["paymentUrl"]
    user.pay(second)
    eventually(lambda: user.status(second) == "confirmed")
    assert system.credits(second["transactionID"]) == 1
    states = [row["state"] for row in system.rows("SELECT state FROM attempts ORDER BY attempt_no")]
    assert states == ["void", "paid"]


def test_concurrent_top_ups_create_one_payment_each(system_of_each_bank: System) -> None:
    system = system_of_each_bank
    # A user may have ten unpaid top-ups.
    users = [system.user() for _ in range(3)]
    with ThreadPoolExecutor(12) as threads:
        responses = list(threads.map(lambda n: users[n % 3].post_topup(amount=100 + n, key=f"k{n}"), range(24)))
    assert {response.status_code for response in responses} == {201}
    assert len(system.bank_rows("SELECT 1 FROM payments")) == 24


def test_repeat_opens_a_new_page_after_the_process_was_killed(system: System) -> None:
    """The process is killed after the bank has created the payment and before its id is stored."""
    user = system.user()
    first = user.start(key="k")
    with system.context.db.autocommit() as tx:
        tx.execute(text("UPDATE attempts SET bank_payment_id = NULL, payment_url = NULL, state = 'creating'"))
        tx.execute(text("UPDATE topups SET busy_until = now() - interval '1 second'"))
    second = user.start(key="k")
    assert second["transactionID"] == first["transactionID"]
    assert second["paymentUrl"] != first["paymentUrl"]
    assert payable(system) == 1
    user.pay(second)
    eventually(lambda: user.status(second) == "confirmed")
    # The first page is cancelled and says so.
    assert "cancelled" in requests.get(first["paymentUrl"], timeout=10).text


@pytest.mark.parametrize("state", ["AUTHORIZED", "CONFIRMED"])
def test_no_second_page_while_the_first_is_being_paid(system: System, state: str) -> None:
    """The bank has the money for a page that this service lost: a second page would charge the user twice."""
    user = system.user()
    system.plan(["notify_lost"])
    user.start(key="k")
    with system.context.db.autocommit() as tx:
        tx.execute(text("UPDATE attempts SET bank_payment_id = NULL, payment_url = NULL, state = 'creating'"))
        tx.execute(text("UPDATE topups SET busy_until = now() - interval '1 second'"))
    system.bank_rows("UPDATE payments SET state = :state RETURNING 1", state=state)
    repeat = user.post_topup(key="k")
    assert (repeat.status_code, repeat.json()["code"]) == (502, "bank_unavailable")
    assert len(system.bank_rows("SELECT 1 FROM payments")) == 1
    assert len(system.rows("SELECT 1 FROM attempts")) == 1


def test_attempt_that_became_payable_is_neither_voided_nor_cancelled(system: System) -> None:
    """A request that works with an outdated state must not cancel a page that the user has been told."""
    user = system.user()
    topup = user.start()
    with system.context.db.autocommit() as tx:
        found = repository.find(tx, UUID(topup["transactionID"]))
    assert found is not None
    outdated = replace(found.attempt, state=AttemptState.CREATING, bank_payment_id=None, payment_url=None)
    with pytest.raises(BankUnavailable):
        opening.give_up_attempt(system.context, system.context.banks["tbank"], found.topup, outdated)
    assert payable(system) == 1
    assert [row["state"] for row in system.rows("SELECT state FROM attempts")] == ["payable"]
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")


def test_top_up_without_a_page_expires(system: System) -> None:
    user = system.user()
    with _broken_request(system.context.banks["tbank"], "Init", Token="0" * 64):
        assert user.post_topup(key="k").status_code == 502
    poll_topups(system.context)
    assert system.rows("SELECT status FROM topups") == [{"status": "pending"}], "it has not expired"
    poll_topups(system.later(hours=2))
    assert system.rows("SELECT status, next_poll_at FROM topups") == [{"status": "expired", "next_poll_at": None}]
    for _ in range(2):
        repeat = user.post_topup(key="k")
        assert (repeat.status_code, repeat.json()["code"]) == (409, "topup_over"), "the client must not retry"
        assert "new Idempotency-Key" in repeat.json()["message"]
    assert user.start(key="another")["status"] == "pending"


def test_breaker_of_one_bank_does_not_affect_the_others(make_system: MakeSystem) -> None:
    system = make_system(bank_breaker_failures=3, bank_breaker_seconds=60.0)
    user = system.user()
    with _unreachable(system, "tbank"):
        for _ in range(3):
            assert user.post_topup().status_code == 502
    # The bank is reachable again, but the breaker stays open for a minute.
    assert user.post_topup().json()["code"] == "bank_unavailable"
    other = make_system(bank="sber")
    assert other.user().post_topup().status_code == 201


@contextmanager
def _broken_request(bank: object, method: str, **changes: object) -> Iterator[None]:
    """Change the fields that the adapter sends in calls of ``method``."""
    call = bank._call  # type: ignore[attr-defined]

    def broken(name: str, fields: dict[str, object], **options: object) -> object:
        if name == method and "Token" not in changes:
            fields = {**fields, **changes}
        if name == method and "Token" in changes:
            password, bank._password = bank._password, "wrong"  # type: ignore[attr-defined]
            try:
                return call(name, fields, **options)
            finally:
                bank._password = password  # type: ignore[attr-defined]
        return call(name, fields, **options)

    bank._call = broken  # type: ignore[attr-defined]
    try:
        yield
    finally:
        bank._call = call  # type: ignore[attr-defined]


@contextmanager
def _unreachable(system: System, bank: str) -> Iterator[None]:
    """Point the adapter at a closed port."""
    http = system.context.banks[bank]._http  # type: ignore[attr-defined]
    address, http._base_url = http._base_url, "http://127.0.0.1:9/"
    try:
        yield
    finally:
        http._base_url = address
