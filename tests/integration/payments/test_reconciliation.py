"""Reconciliation with the bank's records: every kind of difference is reported, and nothing changes without apply."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from services.payments.models import order_id_of
from tests.integration.payments.conftest import MakeSystem
from tests.integration.payments.servers import System
from tests.support.databases import as_owner
from tests.support.eventually import eventually


@pytest.fixture(params=["tbank", "yookassa", "sber"])
def system(request: pytest.FixtureRequest, make_system: MakeSystem) -> System:
    return make_system(bank=request.param)


def reconcile(system: System, **more: object) -> dict[str, Any]:
    now = datetime.now(UTC)
    body = {
        "bank": system.context.settings.bank,
        "since": (now - timedelta(days=1)).isoformat(),
        "until": (now + timedelta(days=1)).isoformat(),
        "operator": "operator-1",
        **more,
    }
    response = system.as_operator("POST", "/internal/reconciliations", json=body)
    assert response.status_code == 200, response.text
    content: dict[str, Any] = response.json()
    return content


def kinds(report: dict[str, Any]) -> list[str]:
    return sorted(difference["kind"] for difference in report["differences"])


def statement(system: System) -> str:
    """Return the payments of the bank as a statement file."""
    rows = system.bank_rows("SELECT public_id, order_id, amount_minor, state FROM payments WHERE state <> 'NEW'")
    lines = [
        f"{row['public_id']};{row['order_id'] or ''};{Decimal(row['amount_minor']).scaleb(-2)};confirmed".replace(
            ".", ","
        )
        for row in rows
    ]
    return "\n".join(["Payment ID;Order ID;Сумма;Статус", *lines])


def test_equal_records_have_no_differences(system: System) -> None:
    user = system.user()
    paid, failed, _open = user.start(), user.start(), user.start()
    user.pay(paid)
    user.pay(failed, card="", action="cancel")
    eventually(lambda: (user.status(paid), user.status(failed)) == ("confirmed", "failed"))
    report = reconcile(system)
    assert (report["compared"], report["differences"]) == (3, [])


def test_unknown_payment_is_reported_and_applied_on_demand(system: System) -> None:
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    user.pay(topup)
    report = reconcile(system)
    assert kinds(report) == ["different_status"]
    difference = report["differences"][0]
    assert difference["transactionID"] == topup["transactionID"]
    assert (difference["ours"]["status"], difference["theirs"]["amount"]) == ("pending", 50_000)
    assert user.status(topup) == "pending", "a comparison changes nothing"

    applied = reconcile(system, apply=True, reason="a notification was lost")
    assert [difference["applied"] for difference in applied["differences"]] == ["applied"]
    assert user.status(topup) == "confirmed"
    assert system.credits(topup["transactionID"]) == 1
    assert reconcile(system, apply=True)["differences"] == []
    trail = system.rows("SELECT operator, action, reason FROM operator_actions ORDER BY action_no LIMIT 1")
    assert trail == [{"operator": "operator-1", "action": "reconcile", "reason": "a notification was lost"}]


def test_payment_missing_at_the_bank_is_reported(system: System) -> None:
    user = system.user()
    topup = user.start()
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    eventually(lambda: not system.bank_rows("SELECT 1 FROM deliveries WHERE delivered_at IS NULL"))
    with as_owner(system.bank.db) as tx:
        tx.execute(text("DELETE FROM deliveries"))
        tx.execute(text("DELETE FROM payments"))
    assert kinds(reconcile(system)) == ["missing_there"]


def test_refund_made_at_the_bank_is_reported(system: System) -> None:
    user = system.user()
    topup = user.start()
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    with system.bank.db.autocommit() as tx:
        tx.execute(text("UPDATE payments SET state = 'REFUNDED', refunded_minor = amount_minor"))
    report = reconcile(system, apply=True)
    assert kinds(report) == ["different_status"]
    assert report["differences"][0]["applied"] == "unexpected_refund", "recorded for the operator, no money is moved"
    assert user.status(topup) == "confirmed"


def test_different_amount_is_reported(system: System) -> None:
    user = system.user()
    topup = user.start()
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    with as_owner(system.bank.db) as tx:
        tx.execute(text("UPDATE payments SET amount_minor = amount_minor - 1"))
    report = reconcile(system, apply=True)
    assert kinds(report) == ["different_amount"]
    assert report["differences"][0]["applied"] == "wrong_amount"


def test_unknown_payment_of_a_statement_is_reported(system: System) -> None:
    user = system.user()
    topup = user.start()
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    file = statement(system)
    assert reconcile(system, statement=file)["differences"] == []
    foreign = f"{file}\n{uuid4()};{uuid4().hex};10,00;confirmed\n\n{uuid4()};;5,00;failed\n"
    report = reconcile(system, statement=foreign)
    assert kinds(report) == ["missing_here"]
    assert report["differences"][0]["theirs"] == {"amount": 1000, "currency": "RUB", "status": "confirmed"}
    assert report["source"] == "statement"


def test_statement_alone_does_not_confirm_a_payment(system: System) -> None:
    """A statement file is no proof of a payment."""
    user = system.user()
    topup = user.start()
    order = order_id_of(UUID(topup["transactionID"]), 1)
    file = f"order_id,amount,status\n{order},500.00,confirmed"
    report = reconcile(system, statement=file, apply=True)
    assert kinds(report) == ["different_status"]
    assert report["differences"][0]["applied"].startswith("status at the bank: ")
    assert user.status(topup) == "pending"


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("", "line 1"),
        ("a,b,c", "line 1"),
        ("payment_id,amount,status\n1,x,confirmed", "line 2"),
        ("payment_id,amount,status\n1,1.005,confirmed", "line 2"),
        ("payment_id,amount,status\n1,1,paid twice", "line 2"),
        ("payment_id,amount,status\n1,1,confirmed\n,1,confirmed", "line 3"),
        ("payment_id,amount,status,currency\n1,1,confirmed,XXX", "line 2"),
    ],
)
def test_invalid_statement_is_rejected_with_the_line(make_system: MakeSystem, file: str, line: str) -> None:
    system = make_system()
    body = {"bank": "tbank", "since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z", "operator": "o"}
    response = system.as_operator("POST", "/internal/reconciliations", json={**body, "statement": file})
    assert response.status_code == 400
    assert line in response.json()["message"]


def test_statement_can_be_larger_than_other_request_bodies(make_system: MakeSystem) -> None:
    system = make_system()
    rows = "\n".join(f"{number},10.00,failed" for number in range(20_000))
    assert reconcile(system, statement=f"payment_id,amount,status\n{rows}")["differences"] == []


def test_unreachable_or_disabled_bank_is_reported(make_system: MakeSystem) -> None:
    system = make_system()
    system.user().start()
    http = system.context.banks["tbank"]._http  # type: ignore[attr-defined]
    http._base_url = "http://127.0.0.1:9/"
    body = {"since": "2026-01-01T00:00:00Z", "until": "2126-01-01T00:00:00Z", "operator": "o"}
    away = system.as_operator("POST", "/internal/reconciliations", json={**body, "bank": "tbank"})
    assert (away.status_code, away.json()["code"]) == (503, "temporarily_unavailable")
    assert system.as_operator("POST", "/internal/reconciliations", json={**body, "bank": "x"}).status_code == 404
