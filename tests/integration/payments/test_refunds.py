"""Refunds: the balance is debited first, then the card refunded. Every failure leads to done or returned."""

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
from common.http.client.client import HttpClient
from services.balance import service as ledger
from services.balance.models import Posting, TransferKind
from services.payments.banks.base import BankRefused, PaymentOrder, RefundOutcome
from services.payments.refunds.tasks import pursue_refunds
from tests.integration.payments.conftest import MakeSystem
from tests.integration.payments.servers import System, User
from tests.support.eventually import eventually


@pytest.fixture(params=["tbank", "yookassa", "sber"])
def system(request: pytest.FixtureRequest, make_system: MakeSystem) -> System:
    return make_system(bank=request.param, with_balance=True)


@pytest.fixture
def tbank_system(make_system: MakeSystem) -> System:
    return make_system(with_balance=True)


def credited(system: System, amount: int = 50_000) -> tuple[User, dict[str, Any]]:
    """Return a user and a top-up that is paid and credited."""
    user = system.user()
    topup = user.start(amount)
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    ledger.credit(
        system.balance,
        Posting(TransferKind.TOPUP, UUID(topup["transactionID"]), user.user_id, amount, "RUB", topup["transactionID"]),
    )
    return user, topup


def balance(system: System, user: User) -> int:
    return ledger.get_balance(system.balance, SystemClock(), user.user_id, "RUB", None)


def refund(system: System, topup: Mapping[str, Any], **more: object) -> requests.Response:
    body = {"operator": "operator-1", "reason": "the user asked for it", **more}
    return system.as_operator("POST", f"/internal/topups/{topup['transactionID']}/refunds", json=body)


def at_the_bank(system: System) -> tuple[str, int]:
    row = system.bank_rows("SELECT state, refunded_minor FROM payments WHERE state <> 'NEW'")[0]
    return row["state"], row["refunded_minor"]


def test_full_refund_debits_the_balance_and_refunds_the_card(system: System) -> None:
    user, topup = credited(system)
    response = refund(system, topup)
    assert (response.status_code, response.json()["status"], response.json()["amount"]) == (200, "done", 50_000)
    assert balance(system, user) == 0
    assert at_the_bank(system) == ("REFUNDED", 50_000)
    assert user.status(topup) == "refunded"
    kinds = [line.kind for line in ledger.get_statement(system.balance, user.user_id, "RUB", 10, None).items]
    assert kinds == ["topup_refunded", "topup"]
    trail = system.rows("SELECT operator, action, subject, reason FROM operator_actions")
    assert trail == [
        {
            "operator": "operator-1",
            "action": "refund_topup",
            "subject": topup["transactionID"],
            "reason": "the user asked for it",
        }
    ]


def test_partial_refunds_add_up_to_a_full_refund(system: System) -> None:
    user, topup = credited(system)
    assert refund(system, topup, amount=20_000).json()["status"] == "done"
    assert user.status(topup) == "confirmed", "refunded only when the whole amount is"
    assert at_the_bank(system) == ("PARTIAL_REFUNDED", 20_000)
    assert refund(system, topup, amount=30_001).json()["code"] == "refund_not_possible"
    assert refund(system, topup).json()["amount"] == 30_000
    assert user.status(topup) == "refunded"
    assert at_the_bank(system) == ("REFUNDED", 50_000)
    assert balance(system, user) == 0
    assert refund(system, topup).status_code == 409
    # The bank's notifications about these refunds are expected, so none of them is flagged.
    eventually(lambda: not system.bank_rows("SELECT 1 FROM deliveries WHERE delivered_at IS NULL"))
    assert not system.rows("SELECT 1 FROM notifications WHERE verdict NOT IN ('applied', 'noted')")


def test_spent_money_is_not_refunded(tbank_system: System) -> None:
    user, topup = credited(tbank_system)
    ledger.debit(tbank_system.balance, Posting(TransferKind.CHECK_CREATED, uuid4(), user.user_id, 1, "RUB", "x"))
    response = refund(tbank_system, topup)
    assert (response.status_code, response.json()["status"]) == (200, "refused")
    assert balance(tbank_system, user) == 49_999
    assert at_the_bank(tbank_system) == ("CONFIRMED", 0)
    assert user.status(topup) == "confirmed"
    assert refund(tbank_system, topup, amount=49_999).json()["status"] == "done", (
        "the remaining balance can be refunded"
    )


def test_repeated_refund_id_has_no_effect(tbank_system: System) -> None:
    user, topup = credited(tbank_system)
    refund_id = str(uuid4())
    with ThreadPoolExecutor(6) as threads:
        responses = list(
            threads.map(lambda _: refund(tbank_system, topup, refundID=refund_id, amount=10_000), range(6))
        )
    assert {response.status_code for response in responses} <= {200, 202}
    eventually(lambda: refund(tbank_system, topup, refundID=refund_id).json()["status"] == "done")
    assert balance(tbank_system, user) == 40_000
    assert at_the_bank(tbank_system) == ("PARTIAL_REFUNDED", 10_000)
    assert refund(tbank_system, topup, refundID=refund_id, amount=1).status_code == 409


def test_concurrent_refunds_do_not_exceed_the_top_up(tbank_system: System) -> None:
    user, topup = credited(tbank_system)
    with ThreadPoolExecutor(5) as threads:
        responses = list(threads.map(lambda _: refund(tbank_system, topup, amount=30_000), range(5)))
    # The row lock and the status decide. Were it the unique index alone, the others would end as server errors.
    assert sorted(response.status_code for response in responses) == [200, 409, 409, 409, 409]
    assert {response.json()["code"] for response in responses if response.status_code == 409} == {"refund_not_possible"}
    assert tbank_system.rows("SELECT status, amount_minor FROM refunds") == [{"status": "done", "amount_minor": 30_000}]
    assert balance(tbank_system, user) == 20_000
    assert at_the_bank(tbank_system) == ("PARTIAL_REFUNDED", 30_000)


def test_refund_beside_an_unfinished_one_is_rejected(tbank_system: System) -> None:
    """The amount would fit. The status decides: the unique index alone would make it a server error."""
    user, topup = credited(tbank_system)
    with _losing_responses(tbank_system):
        assert refund(tbank_system, topup, amount=20_000).json()["status"] == "debited"
    response = refund(tbank_system, topup, amount=10_000)
    assert (response.status_code, response.json()["code"]) == (409, "refund_not_possible")
    assert tbank_system.rows("SELECT amount_minor FROM refunds") == [{"amount_minor": 20_000}]
    assert balance(tbank_system, user) == 30_000


def test_top_up_that_was_not_credited_cannot_be_refunded(tbank_system: System) -> None:
    topup = tbank_system.user().start()
    assert refund(tbank_system, topup).json()["code"] == "refund_not_possible"
    assert refund(tbank_system, {"transactionID": str(uuid4())}).json()["code"] == "topup_not_found"


def test_refund_rejected_by_the_bank_returns_the_money_to_the_balance(system: System) -> None:
    user, topup = credited(system)
    with system.bank.db.autocommit() as tx:
        # A part was refunded at the bank directly: the rest of the payment is less than the refund.
        tx.execute(text("UPDATE payments SET refunded_minor = 1, state = 'PARTIAL_REFUNDED'"))
    response = refund(system, topup)
    assert (response.status_code, response.json()["status"]) == (200, "returned")
    assert balance(system, user) == 50_000
    assert at_the_bank(system) == ("PARTIAL_REFUNDED", 1)
    assert user.status(topup) == "confirmed"


def test_refund_is_retried_until_the_bank_responds(system: System) -> None:
    user, topup = credited(system)
    with _unreachable_bank(system):
        response = refund(system, topup)
        assert (response.status_code, response.json()["status"]) == (202, "debited")
        assert balance(system, user) == 0, "money of a pending refund cannot be spent"
        assert user.status(topup) == "confirmed"
        pursue_refunds(system.later(minutes=5))
        assert system.rows("SELECT status FROM refunds") == [{"status": "debited"}]
    pursue_refunds(system.later(minutes=30))
    assert system.rows("SELECT status FROM refunds") == [{"status": "done"}]
    assert at_the_bank(system) == ("REFUNDED", 50_000)
    assert user.status(topup) == "refunded"


def test_refund_with_a_lost_response_is_not_made_twice(system: System) -> None:
    user, topup = credited(system)
    with _losing_responses(system):
        assert refund(system, topup, amount=20_000).json()["status"] == "debited"
    assert at_the_bank(system) == ("PARTIAL_REFUNDED", 20_000)
    pursue_refunds(system.later(minutes=30))
    assert system.rows("SELECT status FROM refunds") == [{"status": "done"}]
    assert at_the_bank(system) == ("PARTIAL_REFUNDED", 20_000)
    assert balance(system, user) == 30_000


def test_refused_repeat_of_a_whole_refund_that_the_bank_made_is_done(system: System) -> None:
    """The response to the refund is lost and the bank rejects its repeat: only the card has the money."""
    user, topup = credited(system)
    with _losing_responses(system):
        assert refund(system, topup).json()["status"] == "debited"
    assert at_the_bank(system) == ("REFUNDED", 50_000)
    with _rejecting_refunds(system):
        pursue_refunds(system.later(minutes=30))
    assert system.rows("SELECT status FROM refunds") == [{"status": "done"}]
    assert user.status(topup) == "refunded"
    assert balance(system, user) == 0


def test_refused_repeat_of_a_partial_refund_that_the_bank_made_is_done(system: System) -> None:
    user, topup = credited(system)
    with _losing_responses(system):
        assert refund(system, topup, amount=20_000).json()["status"] == "debited"
    with _rejecting_refunds(system):
        pursue_refunds(system.later(minutes=30))
    assert system.rows("SELECT status FROM refunds") == [{"status": "done"}]
    assert balance(system, user) == 30_000


def test_yookassa_refund_is_not_made_twice_after_its_key_has_expired(make_system: MakeSystem) -> None:
    """YooKassa forgets an idempotence key after 24 hours: the repeat of a lost response would be a second refund."""
    system = make_system(bank="yookassa", with_balance=True)
    user, topup = credited(system)
    with _losing_responses(system):
        assert refund(system, topup, amount=20_000).json()["status"] == "debited"
    bank = system.context.banks["yookassa"]
    post = bank._post  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bank, "_post", lambda path, key, fields: post(path, f"{key[:8]} forgotten", fields))
        pursue_refunds(system.later(hours=30))
    assert system.rows("SELECT status FROM refunds") == [{"status": "done"}]
    assert at_the_bank(system) == ("PARTIAL_REFUNDED", 20_000)
    assert balance(system, user) == 30_000


def test_ambiguous_partial_refund_waits_for_an_operator(system: System) -> None:
    """Of two partial refunds, the protocol does not tell which ones the bank made: neither side gets money twice."""
    user, topup = credited(system)
    assert refund(system, topup, amount=10_000).json()["status"] == "done"
    with _losing_responses(system):
        assert refund(system, topup, amount=20_000).json()["status"] == "debited"
    with _rejecting_refunds(system):
        for hours in (1, 3):
            pursue_refunds(system.later(hours=hours))
    row = system.rows("SELECT status, note, finished_at FROM refunds WHERE amount_minor = 20000")[0]
    assert (row["status"], row["finished_at"]) == ("debited", None)
    assert "needs an operator" in row["note"]
    assert balance(system, user) == 20_000
    assert at_the_bank(system) == ("PARTIAL_REFUNDED", 30_000)


def test_refund_is_retried_until_balance_responds(make_system: MakeSystem) -> None:
    system = make_system(with_balance=True)
    user, topup = credited(system)
    client = system.context.balance
    available = client._http
    client._http = HttpClient("http://127.0.0.1:9", timeout_seconds=1)
    response = refund(system, topup)
    assert (response.status_code, response.json()["status"]) == (202, "requested")
    assert at_the_bank(system) == ("CONFIRMED", 0), "the bank is called only after the debit"
    client._http = available
    pursue_refunds(system.context)
    assert system.rows("SELECT status FROM refunds") == [{"status": "requested"}], "its next attempt is not due"
    pursue_refunds(system.later(minutes=5))
    assert system.rows("SELECT status FROM refunds") == [{"status": "done"}]
    assert balance(system, user) == 0


def test_refund_waits_without_an_address_of_balance(make_system: MakeSystem) -> None:
    system = make_system()
    user = system.user()
    topup = user.start()
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    response = refund(system, topup)
    assert (response.status_code, response.json()["status"]) == (202, "requested")
    assert "FASTCHECK_BALANCE_URL" in response.json()["note"]


def test_only_the_operator_can_refund(tbank_system: System) -> None:
    path = f"/internal/topups/{uuid4()}/refunds"
    for caller in ("gateway", "checks", "payments"):
        bearer = tbank_system.keys.bearer(caller, "payments", uuid4() if caller == "gateway" else None)
        response = tbank_system.app.test_client().post(path, json={}, headers={"Authorization": bearer})
        assert response.status_code == 403, caller


@contextmanager
def _unreachable_bank(system: System) -> Iterator[None]:
    """Point the adapter at a closed port."""
    http = system.context.banks[system.context.settings.bank]._http  # type: ignore[attr-defined]
    address, http._base_url = http._base_url, "http://127.0.0.1:9/"
    try:
        yield
    finally:
        http._base_url = address
        http.breaker.succeeded()


@contextmanager
def _rejecting_refunds(system: System) -> Iterator[None]:
    """Let the bank reject every refund, as one does that recognizes no repeat."""
    bank = system.context.banks[system.context.settings.bank]

    def reject(order: PaymentOrder, amount_minor: int, key: str) -> RefundOutcome:
        raise BankRefused("9", f"refund {key} of {amount_minor} for order {order.order_id} rejected")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bank, "refund", reject)
        yield


@contextmanager
def _losing_responses(system: System) -> Iterator[None]:
    """Let the bank carry out cancellations and refunds, and lose its responses to them."""
    http = system.context.banks[system.context.settings.bank]._http  # type: ignore[attr-defined]
    exchange = http._exchange

    def lose(method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> object:
        response = exchange(method, path, body, headers)
        if path in ("Cancel", "refunds", "refund.do"):
            raise ReadTimeoutError(http._pool, path, "lost")
        return response

    http._exchange = lose
    try:
        yield
    finally:
        http._exchange = exchange
        http.breaker.succeeded()
