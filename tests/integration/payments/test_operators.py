"""The routes for operators: details of a top-up, rejected notifications, a poll on demand."""

from uuid import uuid4

from prometheus_client import generate_latest

from tests.integration.payments.conftest import MakeSystem
from tests.integration.payments.servers import System
from tests.support.eventually import eventually


def test_top_up_is_shown_with_its_attempts_notifications_and_refunds(make_system: MakeSystem) -> None:
    system = make_system()
    system.plan(["api_dead"], [])
    user = system.user()
    topup = user.start()
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    eventually(lambda: not system.bank_rows("SELECT 1 FROM deliveries WHERE delivered_at IS NULL"))
    details = system.as_operator("GET", f"/internal/topups/{topup['transactionID']}").json()
    assert (details["userID"], details["status"], details["bank"]) == (str(user.user_id), "confirmed", "tbank")
    assert [attempt["state"] for attempt in details["attempts"]] == ["void", "paid"]
    notifications = {(item["bankStatus"], item["verdict"]) for item in details["notifications"]}
    assert ("CONFIRMED", "applied") in notifications
    assert ("AUTHORIZED", "noted") in notifications
    assert all("411111" not in item["body"] for item in details["notifications"])
    assert details["refunds"] == []
    assert system.as_operator("GET", f"/internal/topups/{uuid4()}").status_code == 404


def test_rejected_notifications_are_listed_newest_first(system: System) -> None:
    topup = system.user().start()
    for amount in (1, 2, 3):
        system.notify({**system.confirmation(topup), "Amount": amount})
    system.notify(system.confirmation(topup), password="guessed")
    system.notify(system.confirmation(topup))
    first = system.as_operator("GET", "/internal/notifications/refused?limit=3").json()
    rest = system.as_operator(
        "GET", "/internal/notifications/refused", params={"cursor": first["nextCursor"], "bank": "tbank"}
    ).json()
    found = [(item["verdict"], item.get("amount")) for item in first["notifications"] + rest["notifications"]]
    assert found == [("bad_signature", None), ("wrong_amount", 3), ("wrong_amount", 2), ("wrong_amount", 1)]
    assert first["notifications"][0]["address"] == "127.0.0.1"
    assert system.as_operator("GET", "/internal/notifications/refused?bank=sber").json()["notifications"] == []


def test_rejected_notifications_are_counted(system: System) -> None:
    topup = system.user().start()
    system.notify(system.confirmation(topup), password="guessed")
    metrics = generate_latest().decode()
    assert 'fastcheck_bank_notifications_total{bank="tbank",source="webhook",verdict="bad_signature"}' in metrics


def test_operator_can_poll_the_bank_at_once(system: System) -> None:
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    path = f"/internal/topups/{topup['transactionID']}/polls"
    assert system.as_operator("POST", path).json() == {"answer": "status at the bank: NEW"}
    user.pay(topup)
    assert system.as_operator("POST", path).json() == {"answer": "applied"}
    assert user.status(topup) == "confirmed"
    assert system.as_operator("POST", path).json() == {"answer": "noted"}
    assert system.as_operator("POST", f"/internal/topups/{uuid4()}/polls").status_code == 404
