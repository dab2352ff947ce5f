"""Delivery of the sandbox bank's notifications: repeats, restarts, faults on demand."""

import json
from collections.abc import Callable

import pytest
import requests

from services.sandbox_bank.app import create_app
from services.sandbox_bank.config import SandboxBankSettings
from services.sandbox_bank.protocols.tbank import sign
from tests.integration.payments.servers import PASSWORD, TERMINAL, TIMEOUT
from tests.integration.sandbox_bank.conftest import Merchant, RunningBank
from tests.integration.sandbox_bank.test_page import CARD, init, post
from tests.support.eventually import eventually

MakeBank = Callable[..., RunningBank]


def statuses_of(merchant: Merchant) -> list[str]:
    return [json.loads(body)["Status"] for *_, body in merchant.received]


def test_both_notifications_of_a_payment_are_signed(bank: RunningBank, merchant: Merchant) -> None:
    post(init(bank, NotificationURL=merchant.url), **CARD)
    eventually(lambda: sorted(statuses_of(merchant)) == ["AUTHORIZED", "CONFIRMED"])
    for _, _, body in merchant.received:
        fields = json.loads(body)
        assert fields["Token"] == sign(fields, PASSWORD)
        assert fields["Success"] is True
        assert fields["Pan"] == "411111******1111"


def test_notification_is_repeated_until_it_is_acknowledged(bank: RunningBank, merchant: Merchant) -> None:
    merchant.responses = [
        ("500 X", b"OK"),
        ("200 OK", b"ok, thank you"),
        ("302 Found", b"OK"),
        ("403 Forbidden", b""),
        ("200 OK", b"OK"),
    ]
    post(init(bank, NotificationURL=merchant.url), action="cancel")
    eventually(lambda: len(bank.rows("SELECT 1 FROM deliveries WHERE delivered_at IS NOT NULL")) == 1)
    assert statuses_of(merchant) == ["CANCELED"] * 5
    assert bank.rows("SELECT attempts, due_at, last_answer FROM deliveries") == [
        {"attempts": 5, "due_at": None, "last_answer": "200 OK"}
    ]


def test_pending_notifications_are_delivered_after_a_restart(make_bank: MakeBank, merchant: Merchant) -> None:
    bank = make_bank()
    bank.app.extensions["deliverer"].stop()
    post(init(bank, NotificationURL=merchant.url), **CARD)
    assert merchant.received == []
    # Another process with the same database starts delivering with its first request.
    successor = create_app(SandboxBankSettings.model_validate(bank.settings))
    assert successor.test_client().get("/healthz").status_code == 200
    eventually(lambda: sorted(statuses_of(merchant)) == ["AUTHORIZED", "CONFIRMED"])
    successor.extensions["deliverer"].stop()
    successor.extensions["context"].db.dispose()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("notify_twice", ["AUTHORIZED", "AUTHORIZED", "CONFIRMED", "CONFIRMED"]),
        ("notify_out_of_order", ["CONFIRMED", "AUTHORIZED"]),
        ("notify_late", ["AUTHORIZED", "CONFIRMED"]),
    ],
)
def test_delivery_faults_repeat_reorder_or_delay_notifications(
    make_bank: MakeBank, merchant: Merchant, fault: str, expected: list[str]
) -> None:
    bank = make_bank(sandbox_bank_faults=(fault,), sandbox_bank_late_seconds=0.4)
    post(init(bank, NotificationURL=merchant.url), **CARD)
    if fault == "notify_late":
        assert not merchant.received
    eventually(lambda: len(merchant.received) == len(expected))
    seen = statuses_of(merchant)
    assert (seen if fault == "notify_out_of_order" else sorted(seen)) == expected


@pytest.mark.parametrize(
    ("fault", "changed"),
    [
        ("wrong_amount", {"Amount": 123_451}),
        ("wrong_terminal", {"TerminalKey": f"{TERMINAL}X"}),
        ("wrong_signature", {}),
    ],
)
def test_content_faults_change_notifications(
    make_bank: MakeBank, merchant: Merchant, fault: str, changed: dict[str, object]
) -> None:
    bank = make_bank(sandbox_bank_faults=(fault,))
    post(init(bank, NotificationURL=merchant.url), **CARD)
    eventually(lambda: len(merchant.received) == 2)
    for _, _, body in merchant.received:
        fields = json.loads(body)
        right = fields["Token"] == sign(fields, PASSWORD)
        assert right == (fault != "wrong_signature")
        assert changed.items() <= fields.items()


def test_lost_notifications_are_recorded_and_not_sent(make_bank: MakeBank, merchant: Merchant) -> None:
    bank = make_bank(sandbox_bank_faults=("notify_lost",))
    post(init(bank, NotificationURL=merchant.url), **CARD)
    assert bank.rows("SELECT due_at, attempts FROM deliveries") == [{"due_at": None, "attempts": 0}] * 2
    post(init(bank, "38", NotificationURL=merchant.url), **CARD)
    assert merchant.received == []


def test_sber_stops_after_three_failures(make_bank: MakeBank, merchant: Merchant) -> None:
    bank = make_bank()
    merchant.responses = [("500 X", b"")]
    form = {
        "userName": "fastcheck-api",
        "password": "sber-password",
        "orderNumber": "1",
        "amount": "100",
        "returnUrl": "https://shop.example/",
        "dynamicCallbackUrl": f"{merchant.url}/hook",
    }
    response = requests.post(f"{bank.url}/payment/rest/register.do", data=form, timeout=TIMEOUT).json()
    post(response["formUrl"], action="cancel")
    eventually(lambda: bank.rows("SELECT attempts, due_at FROM deliveries") == [{"attempts": 3, "due_at": None}])
    assert {method for method, *_ in merchant.received} == {"GET"}


def test_only_the_operator_can_set_faults(bank: RunningBank, merchant: Merchant) -> None:
    url = init(bank, NotificationURL=merchant.url)
    path = f"{bank.url}/admin/payments/tbank/37/faults"
    for auth in (None, (TERMINAL, "wrong"), ("wrong", PASSWORD)):
        assert requests.put(path, json={"faults": []}, auth=auth, timeout=TIMEOUT).status_code == 401
    right = (TERMINAL, PASSWORD)
    assert requests.put(path, json={"faults": ["notify_lost"]}, auth=right, timeout=TIMEOUT).status_code == 204
    assert requests.put(path, json={"faults": ["fire"]}, auth=right, timeout=TIMEOUT).status_code == 400
    unknown = f"{bank.url}/admin/payments/tbank/99/faults"
    assert requests.put(unknown, json={"faults": []}, auth=right, timeout=TIMEOUT).status_code == 404
    post(url, **CARD)
    listed = requests.get(f"{bank.url}/admin/payments/tbank", auth=right, timeout=TIMEOUT).json()["payments"]
    assert [(item["orderID"], item["state"], item["faults"]) for item in listed] == [
        ("37", "CONFIRMED", ["notify_lost"])
    ]
    assert bank.rows("SELECT due_at FROM deliveries") == [{"due_at": None}] * 2


def test_fault_plan_is_repeated_in_order(bank: RunningBank) -> None:
    plan = {"plan": [["notify_twice"], [], ["notify_lost", "wrong_amount"]]}
    assert requests.put(f"{bank.url}/admin/faults", json=plan, auth=(TERMINAL, PASSWORD), timeout=TIMEOUT).ok
    for number in range(5):
        init(bank, str(number))
    found = [row["faults"] for row in bank.rows("SELECT faults FROM payments ORDER BY payment_no")]
    assert found == [["notify_twice"], [], ["notify_lost", "wrong_amount"], ["notify_twice"], []]


def test_sandbox_bank_does_not_run_in_production(bank: RunningBank, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "FASTCHECK_SANDBOX_BANK_DATABASE_URL": "postgresql+psycopg2://x",
        "FASTCHECK_SANDBOX_BANK_URL": "http://x",
        "FASTCHECK_TBANK_TERMINAL_KEY": "x",
        "FASTCHECK_TBANK_PASSWORD": "x",
    }.items():
        monkeypatch.setenv(name, value)
    for environment in ("production", None):
        if environment is None:
            monkeypatch.delenv("FASTCHECK_ENVIRONMENT", raising=False)
        else:
            monkeypatch.setenv("FASTCHECK_ENVIRONMENT", environment)
        with pytest.raises(SystemExit, match="never runs in production"):
            create_app()
