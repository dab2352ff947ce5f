"""Refunds: off the balance first, then to the card; one of two definite ends, whatever fails on the way."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from sqlalchemy import text
from urllib3.exceptions import ReadTimeoutError

from common.core.clock import SystemClock
from services.balance import service as ledger
from services.balance.models import Posting, TransferKind
from services.payments.refunds.tasks import pursue_refunds
from tests.integration.payments.conftest import MakeTown
from tests.integration.payments.servers import Town, User
from tests.support.eventually import eventually


@pytest.fixture(params=["tbank", "yookassa", "sber"])
def town(request: pytest.FixtureRequest, make_town: MakeTown) -> Town:
    return make_town(bank=request.param, with_balance=True)


@pytest.fixture
def tbank_town(make_town: MakeTown) -> Town:
    return make_town(with_balance=True)


def credited(town: Town, amount: int = 50_000) -> tuple[User, dict[str, Any]]:
    """A top-up that is paid and on the balance, as the event would bring it."""
    user = town.user()
    topup = user.start(amount)
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    ledger.credit(
        town.balance,
        Posting(TransferKind.TOPUP, UUID(topup["transactionID"]), user.user_id, amount, "RUB", topup["transactionID"]),
    )
    return user, topup


def balance(town: Town, user: User) -> int:
    return ledger.get_balance(town.balance, SystemClock(), user.user_id, "RUB", None)


def refund(town: Town, topup: Mapping[str, Any], **more: object) -> requests.Response:
    body = {"operator": "olga", "reason": "the user asked for it", **more}
    return town.as_operator("POST", f"/internal/topups/{topup['transactionID']}/refunds", json=body)


def at_the_bank(town: Town) -> tuple[str, int]:
    row = town.bank_rows("SELECT state, refunded_minor FROM payments WHERE state <> 'NEW'")[0]
    return row["state"], row["refunded_minor"]


def test_a_whole_refund(town: Town) -> None:
    user, topup = credited(town)
    answer = refund(town, topup)
    assert (answer.status_code, answer.json()["status"], answer.json()["amount"]) == (200, "done", 50_000)
    assert balance(town, user) == 0
    assert at_the_bank(town) == ("REFUNDED", 50_000)
    assert user.status(topup) == "refunded"
    kinds = [line.kind for line in ledger.get_statement(town.balance, user.user_id, "RUB", 10, None).items]
    assert kinds == ["topup_refunded", "topup"]
    trail = town.rows("SELECT operator, action, subject, reason FROM operator_actions")
    assert trail == [
        {
            "operator": "olga",
            "action": "refund_topup",
            "subject": topup["transactionID"],
            "reason": "the user asked for it",
        }
    ]


def test_refunds_in_parts(town: Town) -> None:
    user, topup = credited(town)
    assert refund(town, topup, amount=20_000).json()["status"] == "done"
    assert user.status(topup) == "confirmed", "shown as refunded when all of it is"
    assert at_the_bank(town) == ("PARTIAL_REFUNDED", 20_000)
    assert refund(town, topup, amount=30_001).json()["code"] == "refund_not_possible"
    assert refund(town, topup).json()["amount"] == 30_000
    assert user.status(topup) == "refunded"
    assert at_the_bank(town) == ("REFUNDED", 50_000)
    assert balance(town, user) == 0
    assert refund(town, topup).status_code == 409
    # The bank's own notifications of these refunds are no surprise to us.
    eventually(lambda: not town.bank_rows("SELECT 1 FROM deliveries WHERE delivered_at IS NULL"))
    assert not town.rows("SELECT 1 FROM notifications WHERE verdict NOT IN ('applied', 'noted')")


def test_money_that_is_spent_is_not_refunded(tbank_town: Town) -> None:
    user, topup = credited(tbank_town)
    ledger.debit(tbank_town.balance, Posting(TransferKind.CHECK_CREATED, uuid4(), user.user_id, 1, "RUB", "x"))
    answer = refund(tbank_town, topup)
    assert (answer.status_code, answer.json()["status"]) == (200, "refused")
    assert balance(tbank_town, user) == 49_999
    assert at_the_bank(tbank_town) == ("CONFIRMED", 0)
    assert user.status(topup) == "confirmed"
    assert refund(tbank_town, topup, amount=49_999).json()["status"] == "done", "what is left can be refunded"


def test_the_same_refund_again_is_the_same_refund(tbank_town: Town) -> None:
    user, topup = credited(tbank_town)
    refund_id = str(uuid4())
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: refund(tbank_town, topup, refundID=refund_id, amount=10_000), range(6)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    eventually(lambda: refund(tbank_town, topup, refundID=refund_id).json()["status"] == "done")
    assert balance(tbank_town, user) == 40_000
    assert at_the_bank(tbank_town) == ("PARTIAL_REFUNDED", 10_000)
    assert refund(tbank_town, topup, refundID=refund_id, amount=1).status_code == 409


def test_two_refunds_at_once_do_not_take_more_than_there_is(tbank_town: Town) -> None:
    user, topup = credited(tbank_town)
    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(lambda _: refund(tbank_town, topup, amount=30_000), range(5)))
    done = [answer for answer in answers if answer.status_code == 200 and answer.json()["status"] == "done"]
    assert len(done) == 1
    assert balance(tbank_town, user) == 20_000
    assert at_the_bank(tbank_town) == ("PARTIAL_REFUNDED", 30_000)


def test_only_what_was_credited_is_refunded(tbank_town: Town) -> None:
    topup = tbank_town.user().start()
    assert refund(tbank_town, topup).json()["code"] == "refund_not_possible"
    assert refund(tbank_town, {"transactionID": str(uuid4())}).json()["code"] == "topup_not_found"


def test_a_bank_that_refuses_leaves_the_money_with_the_user(town: Town) -> None:
    user, topup = credited(town)
    with town.bank.db.autocommit() as tx:
        # Somebody has given a part back in the bank's cabinet: there is not enough left of the payment.
        tx.execute(text("UPDATE payments SET refunded_minor = 1, state = 'PARTIAL_REFUNDED'"))
    answer = refund(town, topup)
    assert (answer.status_code, answer.json()["status"]) == (200, "returned")
    assert balance(town, user) == 50_000
    assert at_the_bank(town) == ("PARTIAL_REFUNDED", 1)
    assert user.status(topup) == "confirmed"


def test_a_bank_that_is_away_is_asked_until_it_answers(town: Town) -> None:
    user, topup = credited(town)
    with _away(town):
        answer = refund(town, topup)
        assert (answer.status_code, answer.json()["status"]) == (202, "debited")
        assert balance(town, user) == 0, "it cannot be spent while it is on its way"
        assert user.status(topup) == "confirmed"
        pursue_refunds(town.later(minutes=5))
        assert town.rows("SELECT status FROM refunds") == [{"status": "debited"}]
    pursue_refunds(town.later(minutes=30))
    assert town.rows("SELECT status FROM refunds") == [{"status": "done"}]
    assert at_the_bank(town) == ("REFUNDED", 50_000)
    assert user.status(topup) == "refunded"


def test_a_refund_that_the_bank_made_without_our_hearing_of_it_is_not_made_twice(town: Town) -> None:
    user, topup = credited(town)
    with _deaf(town):
        assert refund(town, topup, amount=20_000).json()["status"] == "debited"
    assert at_the_bank(town) == ("PARTIAL_REFUNDED", 20_000)
    pursue_refunds(town.later(minutes=30))
    assert town.rows("SELECT status FROM refunds") == [{"status": "done"}]
    assert at_the_bank(town) == ("PARTIAL_REFUNDED", 20_000)
    assert balance(town, user) == 30_000


def test_a_balance_that_is_away_is_asked_until_it_answers(make_town: MakeTown) -> None:
    town = make_town(with_balance=True)
    user, topup = credited(town)
    http = town.context.balance._http
    assert http is not None
    port, http._port = http._port, 9
    answer = refund(town, topup)
    assert (answer.status_code, answer.json()["status"]) == (202, "requested")
    assert at_the_bank(town) == ("CONFIRMED", 0), "the bank is asked only when the money is off the balance"
    http._port = port
    pursue_refunds(town.context)
    assert town.rows("SELECT status FROM refunds") == [{"status": "requested"}], "its turn has not come"
    pursue_refunds(town.later(minutes=5))
    assert town.rows("SELECT status FROM refunds") == [{"status": "done"}]
    assert balance(town, user) == 0


def test_without_a_way_to_the_balance_refunds_wait(make_town: MakeTown) -> None:
    town = make_town()
    user = town.user()
    topup = user.start()
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    answer = refund(town, topup)
    assert (answer.status_code, answer.json()["status"]) == (202, "requested")
    assert "FASTCHECK_BALANCE_URL" in answer.json()["note"]


def test_a_refund_is_for_the_operator_alone(tbank_town: Town) -> None:
    path = f"/internal/topups/{uuid4()}/refunds"
    for caller in ("gateway", "checks", "payments"):
        bearer = tbank_town.keys.bearer(caller, "payments", uuid4() if caller == "gateway" else None)
        answer = tbank_town.app.test_client().post(path, json={}, headers={"Authorization": bearer})
        assert answer.status_code == 403, caller


@contextmanager
def _away(town: Town) -> Iterator[None]:
    """Nobody listens at the bank's address, for a while."""
    http = town.context.banks[town.context.settings.bank]._http  # type: ignore[attr-defined]
    address, http._base_url = http._base_url, "http://127.0.0.1:9/"
    try:
        yield
    finally:
        http._base_url = address
        http.breaker.succeeded()


@contextmanager
def _deaf(town: Town) -> Iterator[None]:
    """The bank does what it is asked, and its answers to what acts are lost."""
    http = town.context.banks[town.context.settings.bank]._http  # type: ignore[attr-defined]
    exchange = http._exchange

    def lose(method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> object:
        answer = exchange(method, path, body, headers)
        if path in ("Cancel", "refunds", "refund.do"):
            raise ReadTimeoutError(http._pool, path, "lost")
        return answer

    http._exchange = lose
    try:
        yield
    finally:
        http._exchange = exchange
        http.breaker.succeeded()
