"""How a top-up gets its page when the bank fails on the way: one payable payment in the end, never two."""

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
    """How many payments at the bank can still be paid."""
    return len(system.bank_rows("SELECT 1 FROM payments WHERE state = 'NEW'"))


def test_a_bank_that_fails_once_is_asked_again_within_the_request(system_of_each_bank: System) -> None:
    system = system_of_each_bank
    system.plan(["api_500"], [])
    user = system.user()
    topup = user.start(key="k")
    assert payable(system) == 1
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    assert system.credits(topup["transactionID"]) == 1


def test_a_bank_that_made_the_payment_and_then_failed(system_of_each_bank: System) -> None:
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


def test_a_bank_that_fails_again_and_again_is_asked_until_it_does_not(system_of_each_bank: System) -> None:
    system = system_of_each_bank
    system.plan(["api_500"], ["api_dead"], ["api_500"], ["api_dead"], [])
    user = system.user()
    answers = [user.post_topup(key="k").status_code for _ in range(3)]
    assert set(answers) <= {201, 502}
    assert answers[-1] == 201
    topup = user.start(key="k")
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    assert system.credits(topup["transactionID"]) == 1


def test_a_slow_bank_is_unavailable_and_the_same_key_finds_out(make_system: MakeSystem) -> None:
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


def test_a_bank_that_refuses_ends_the_topup(make_system: MakeSystem) -> None:
    system = make_system(topup_description="x" * 80)
    tbank = system.context.banks["tbank"]
    user = system.user()
    with _broken_request(tbank, "Init", Amount=-5):
        refused = user.post_topup(key="k")
    assert (refused.status_code, refused.json()["code"]) == (502, "bank_refused")
    assert user.post_topup(key="k").json()["code"] == "bank_refused"
    assert system.rows("SELECT status FROM topups") == [{"status": "failed"}]


def test_a_wrong_password_is_our_trouble_and_not_the_payment_s_end(make_system: MakeSystem) -> None:
    system = make_system()
    user = system.user()
    with _broken_request(system.context.banks["tbank"], "Init", Token="0" * 64):
        answer = user.post_topup(key="k")
    assert (answer.status_code, answer.json()["code"]) == (502, "bank_unavailable")
    assert user.post_topup(key="k").status_code == 201


def test_a_request_that_still_runs_is_not_run_twice(make_system: MakeSystem) -> None:
    system = make_system(bank_timeout_seconds=3.0, sandbox={"sandbox_bank_slow_seconds": 1.0})
    system.plan(["api_slow"])
    user = system.user()
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: user.post_topup(key="same"), range(6)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201, 409, 409, 409, 409, 409]
    assert len(system.bank_rows("SELECT 1 FROM payments")) == 1
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"request_in_progress"}


def test_a_request_that_dies_is_waited_for_as_long_as_somebody_listens(make_system: MakeSystem) -> None:
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


def test_a_request_that_outlives_its_turn_leaves_the_page_of_its_successor_alone(make_system: MakeSystem) -> None:
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


def test_many_topups_at_once_are_each_one_payment(system_of_each_bank: System) -> None:
    system = system_of_each_bank
    user = system.user()
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda n: user.post_topup(amount=100 + n, key=f"k{n}"), range(24)))
    assert {answer.status_code for answer in answers} == {201}
    assert len(system.bank_rows("SELECT 1 FROM payments")) == 24


def test_a_process_that_dies_at_the_bank_leaves_a_topup_that_the_same_key_opens(system: System) -> None:
    """The kill comes after the bank has made the payment and before we have stored it."""
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
def test_no_second_page_while_the_bank_takes_money_for_the_first(system: System, state: str) -> None:
    """The bank has the money for a page that this service lost: a second page would charge the user twice."""
    user = system.user()
    system.plan(["notify_lost"])
    user.start(key="k")
    with system.context.db.autocommit() as tx:
        tx.execute(text("UPDATE attempts SET bank_payment_id = NULL, payment_url = NULL, state = 'creating'"))
        tx.execute(text("UPDATE topups SET busy_until = now() - interval '1 second'"))
    system.bank_rows("UPDATE payments SET state = :state RETURNING 1", state=state)
    again = user.post_topup(key="k")
    assert (again.status_code, again.json()["code"]) == (502, "bank_unavailable")
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


def test_a_topup_that_never_got_a_page_ends_with_its_time(system: System) -> None:
    user = system.user()
    with _broken_request(system.context.banks["tbank"], "Init", Token="0" * 64):
        assert user.post_topup(key="k").status_code == 502
    poll_topups(system.context)
    assert system.rows("SELECT status FROM topups") == [{"status": "pending"}], "its time is not over"
    poll_topups(system.later(hours=2))
    assert system.rows("SELECT status, next_poll_at FROM topups") == [{"status": "expired", "next_poll_at": None}]
    for _ in range(2):
        again = user.post_topup(key="k")
        assert (again.status_code, again.json()["code"]) == (409, "topup_over"), "the client is not told to retry"
        assert "new Idempotency-Key" in again.json()["message"]
    assert user.start(key="another")["status"] == "pending"


def test_the_breaker_spares_a_bank_that_is_down_and_the_other_banks_go_on(make_system: MakeSystem) -> None:
    system = make_system(bank_breaker_failures=3, bank_breaker_seconds=60.0)
    user = system.user()
    with _dead(system, "tbank"):
        for _ in range(3):
            assert user.post_topup().status_code == 502
    # The bank is back, but is left alone for a minute.
    assert user.post_topup().json()["code"] == "bank_unavailable"
    other = make_system(bank="sber")
    assert other.user().post_topup().status_code == 201


@contextmanager
def _broken_request(bank: object, method: str, **changes: object) -> Iterator[None]:
    """The adapter sends something else than it means to, for a while."""
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
def _dead(system: System, bank: str) -> Iterator[None]:
    """Nobody listens at the bank's address, for a while."""
    http = system.context.banks[bank]._http  # type: ignore[attr-defined]
    address, http._base_url = http._base_url, "http://127.0.0.1:9/"
    try:
        yield
    finally:
        http._base_url = address
