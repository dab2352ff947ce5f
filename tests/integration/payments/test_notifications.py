"""Notifications of banks: forged, mismatched, repeated, late, out of order, early."""

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import requests
from sqlalchemy import text

from services.payments.banks.sber import checksum
from services.payments.refunds.tasks import pursue_refunds
from tests.integration.payments.conftest import MakeSystem
from tests.integration.payments.servers import SBER_SECRET, TIMEOUT, System
from tests.support.eventually import eventually


def test_forged_notification_is_recorded_and_changes_nothing(system: System) -> None:
    user = system.user()
    topup = user.start()
    response = system.notify(system.confirmation(topup), password="guessed")
    assert (response.status_code, response.json()["code"]) == (403, "bad_signature")
    assert user.status(topup) == "pending"
    recorded = system.rows("SELECT bank, source, verdict, address, body, headers FROM notifications")[0]
    assert (recorded["bank"], recorded["source"], recorded["verdict"]) == ("tbank", "webhook", "bad_signature")
    assert recorded["address"] == "127.0.0.1"
    assert "411111" not in recorded["body"]
    assert json.loads(recorded["body"])["Amount"] == topup["amount"]
    assert "authorization" not in {name.lower() for name in recorded["headers"]}


def test_recorded_forged_notifications_are_limited_per_hour(make_system: MakeSystem) -> None:
    system = make_system(forged_notifications_per_hour=3)
    for _ in range(6):
        assert requests.post(f"{system.url}/bank/webhook/tbank", data=b"\x00junk", timeout=TIMEOUT).status_code == 403
    assert len(system.rows("SELECT 1 FROM notifications")) == 3


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        ({"Amount": 49_999}, "wrong_amount"),
        ({"Amount": 50_001}, "wrong_amount"),
        ({"TerminalKey": "another"}, "wrong_terminal"),
        ({"PaymentId": 1}, "wrong_payment"),
        ({"OrderId": uuid4().hex}, "unknown_order"),
    ],
)
def test_mismatched_notification_is_rejected_and_a_correct_one_is_applied_later(
    system: System, wrong: dict[str, object], verdict: str
) -> None:
    user = system.user()
    topup = user.start(50_000)
    response = system.notify({**system.confirmation(topup), **wrong})
    assert (response.status_code, response.json()["code"]) == (409, "notification_refused")
    assert user.status(topup) == "pending"
    assert system.credits(topup["transactionID"]) == 0
    assert [row["verdict"] for row in system.rows("SELECT verdict FROM notifications")] == [verdict]
    right = system.notify(system.confirmation(topup))
    assert (right.status_code, right.text) == (200, "OK")
    assert system.credits(topup["transactionID"]) == 1


def test_notification_with_the_payment_of_another_order_is_rejected(system: System) -> None:
    user = system.user()
    one, other = user.start(), user.start()
    foreign = system.confirmation(one)["PaymentId"]
    _discard_stored_response(system, other["transactionID"])
    assert system.notify(system.confirmation(other, PaymentId=foreign)).status_code == 409
    assert user.status(other) == "pending"


def test_repeated_notification_gets_the_same_response_and_credits_once(system: System) -> None:
    user = system.user()
    topup = user.start()
    notification = system.confirmation(topup)
    for _ in range(3):
        assert system.notify(notification).text == "OK"
    assert user.status(topup) == "confirmed"
    assert system.credits(topup["transactionID"]) == 1
    rows = system.rows("SELECT bank_status, verdict, times FROM notifications")
    assert rows == [{"bank_status": "CONFIRMED", "verdict": "applied", "times": 3}]


def test_concurrent_repeats_of_a_notification_credit_once(system: System) -> None:
    user = system.user()
    topups = [user.start() for _ in range(3)]
    notifications = [system.confirmation(topup) for topup in topups for _ in range(6)]
    with ThreadPoolExecutor(12) as threads:
        responses = list(threads.map(system.notify, notifications))
    assert {(response.status_code, response.text) for response in responses} == {(200, "OK")}
    assert [system.credits(topup["transactionID"]) for topup in topups] == [1, 1, 1]


def test_notifications_out_of_order_lead_to_the_same_status(system: System) -> None:
    user = system.user()
    topup = user.start()
    for status in ("CONFIRMED", "AUTHORIZED", "NEW", "REJECTED", "CONFIRMED"):
        assert system.notify(system.confirmation(topup, status)).text == "OK"
    assert user.status(topup) == "confirmed"
    assert system.credits(topup["transactionID"]) == 1


def test_payment_after_a_declined_one_is_credited(system: System) -> None:
    """The first card is declined and the second one is charged."""
    user = system.user()
    topup = user.start()
    system.notify(system.confirmation(topup, "REJECTED"))
    assert user.status(topup) == "failed"
    system.notify(system.confirmation(topup))
    assert user.status(topup) == "confirmed"
    assert system.credits(topup["transactionID"]) == 1


@pytest.mark.parametrize("credit_late", [True, False])
def test_payment_after_expiry_is_credited_or_refunded_as_configured(make_system: MakeSystem, credit_late: bool) -> None:
    system = make_system(topup_lifetime_seconds=60, topup_credit_late=credit_late)
    user = system.user()
    topup = user.start()
    _expire(system)
    assert user.status(topup) == "expired"
    assert system.notify(system.confirmation(topup)).text == "OK"
    assert user.status(topup) == ("confirmed" if credit_late else "expired")
    assert system.credits(topup["transactionID"]) == (1 if credit_late else 0)
    expected = "applied" if credit_late else "late_not_credited"
    assert ("CONFIRMED", expected) in system.verdicts(topup["transactionID"])


def test_late_payment_that_is_not_credited_is_refunded_to_the_card(make_system: MakeSystem) -> None:
    system = make_system(topup_credit_late=False)
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    _expire(system)
    user.pay(topup)
    for _ in range(2):
        assert system.notify(system.confirmation(topup)).text == "OK"
    pursue_refunds(system.context)
    assert system.bank_rows("SELECT state FROM payments") == [{"state": "REFUNDED"}]
    assert system.rows("SELECT status, was_credited FROM refunds") == [{"status": "done", "was_credited": False}]
    assert (user.status(topup), system.credits(topup["transactionID"])) == ("expired", 0)
    assert system.notify(system.confirmation(topup, "REFUNDED")).text == "OK"
    assert ("REFUNDED", "noted") in system.verdicts(topup["transactionID"])


def test_second_payment_of_a_top_up_is_refunded_to_the_card(system: System) -> None:
    """A payment page that was voided is paid, then the page of the response is paid too."""
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    user.pay(topup)
    with system.context.db.autocommit() as tx:
        another = {"id": topup["transactionID"], "order": "given-up", "payment": "1"}
        tx.execute(
            text(
                "INSERT INTO attempts (bank, bank_order_id, topup_id, attempt_no, state, bank_payment_id)"
                " VALUES ('tbank', :order, :id, 2, 'void', :payment)"
            ),
            another,
        )
    assert system.notify({**system.confirmation(topup), "OrderId": "given-up", "PaymentId": 1}).text == "OK"
    assert user.status(topup) == "confirmed"
    assert system.notify(system.confirmation(topup)).text == "OK"
    assert ("CONFIRMED", "second_payment") in system.verdicts(topup["transactionID"])
    assert system.credits(topup["transactionID"]) == 1
    pursue_refunds(system.context)
    assert system.bank_rows("SELECT state FROM payments") == [{"state": "REFUNDED"}]
    assert user.status(topup) == "confirmed"
    refused = system.as_operator("GET", "/internal/notifications/refused").json()["notifications"]
    assert [item["verdict"] for item in refused] == ["second_payment"]


def test_notification_before_the_stored_response_of_the_bank_is_applied(system: System) -> None:
    """The notification arrives before the response to create_payment: the id of the payment is not stored yet."""
    user = system.user()
    topup = user.start()
    _discard_stored_response(system, topup["transactionID"])
    assert system.notify(system.confirmation(topup)).text == "OK"
    assert user.status(topup) == "confirmed"
    assert system.credits(topup["transactionID"]) == 1
    attempt = system.rows("SELECT bank_payment_id, state FROM attempts")[0]
    assert attempt == {"bank_payment_id": str(system.confirmation(topup)["PaymentId"]), "state": "paid"}


def test_payment_refunded_before_its_confirmation_is_not_credited(system: System) -> None:
    user = system.user()
    topup = user.start()
    assert system.notify(system.confirmation(topup, "REFUNDED")).text == "OK"
    assert system.notify(system.confirmation(topup, "CONFIRMED")).text == "OK"
    assert user.status(topup) == "failed"
    assert system.credits(topup["transactionID"]) == 0
    assert ("REFUNDED", "unexpected_refund") in system.verdicts(topup["transactionID"])


def test_disabled_bank_and_unauthorized_caller_are_rejected(system: System) -> None:
    assert requests.post(f"{system.url}/bank/webhook/none", json={}, timeout=TIMEOUT).status_code == 404
    for caller in ("checks", "operator"):
        direct = system.app.test_client().post(
            "/bank/webhook/tbank", json={}, headers={"Authorization": system.keys.bearer(caller, "payments")}
        )
        assert direct.status_code == 403, caller
    assert system.app.test_client().post("/bank/webhook/tbank", json={}).status_code == 401


def test_return_of_the_browser_does_not_confirm_a_payment(system: System) -> None:
    user = system.user()
    topup = user.start()
    url = f"{system.url}/topup/{topup['transactionID']}/return"
    for query in ("", "?Success=true&ErrorCode=0&Status=CONFIRMED&Amount=50000"):
        back = requests.get(url + query, allow_redirects=False, timeout=TIMEOUT)
        assert (back.status_code, back.headers["Location"]) == (303, f"{system.url}/back")
    assert user.status(topup) == "pending"
    assert requests.get(f"{system.url}/topup/{uuid4()}/return", timeout=TIMEOUT).status_code == 404
    assert requests.get(f"{system.url}/topup/x/return", timeout=TIMEOUT).status_code == 400


def test_return_of_the_browser_polls_the_bank_and_credits(system_of_each_bank: System) -> None:
    system = system_of_each_bank
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    back = user.pay(topup)
    home = requests.get(back.headers["Location"], allow_redirects=False, timeout=TIMEOUT)
    assert home.status_code == 303
    assert user.status(topup) == "confirmed"
    assert system.credits(topup["transactionID"]) == 1


def test_yookassa_notification_is_verified_by_its_address_and_by_a_poll(make_system: MakeSystem) -> None:
    system = make_system(bank="yookassa")
    user = system.user()
    topup = user.start()
    payment = system.bank_rows("SELECT public_id FROM payments")[0]["public_id"]
    claim = {"type": "notification", "event": "payment.succeeded", "object": {"id": payment, "status": "succeeded"}}
    url = f"{system.url}/bank/webhook/yookassa"
    foreign = requests.post(url, json=claim, headers={"X-Client-Address": "8.8.8.8"}, timeout=TIMEOUT)
    assert foreign.status_code == 403
    assert requests.post(url, json=claim, timeout=TIMEOUT).status_code == 200, "accepted, polled, found unpaid"
    assert user.status(topup) == "pending"
    unknown = {**claim, "object": {"id": str(uuid4())}}
    assert requests.post(url, json=unknown, timeout=TIMEOUT).status_code == 403
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    assert system.credits(topup["transactionID"]) == 1


def test_repeated_parameter_is_rejected(make_system: MakeSystem) -> None:
    system = make_system(bank="sber")
    user = system.user()
    topup = user.start()
    payment = system.bank_rows("SELECT public_id, order_id FROM payments")[0]
    fields = {
        "mdOrder": payment["public_id"],
        "orderNumber": payment["order_id"],
        "operation": "deposited",
        "status": "1",
        "amount": str(topup["amount"]),
    }
    signed = [*fields.items(), ("checksum", checksum(fields, SBER_SECRET))]
    url = f"{system.url}/bank/webhook/sber"
    for twice in ([*signed, ("orderNumber", "another")], [("orderNumber", "another"), *signed], [*signed, signed[0]]):
        assert requests.get(url, params=twice, timeout=TIMEOUT).status_code == 403
    assert user.status(topup) == "pending"
    # The checksum is right: without the second value the callback is accepted.
    assert requests.get(url, params=signed, timeout=TIMEOUT).status_code == 200
    assert user.status(topup) == "confirmed"


def test_sber_callback_without_a_checksum_is_rejected(make_system: MakeSystem) -> None:
    system = make_system(bank="sber")
    user = system.user()
    topup = user.start()
    payment = system.bank_rows("SELECT public_id, order_id FROM payments")[0]
    fields = {
        "mdOrder": payment["public_id"],
        "orderNumber": payment["order_id"],
        "operation": "deposited",
        "status": "1",
    }
    assert requests.get(f"{system.url}/bank/webhook/sber", params=fields, timeout=TIMEOUT).status_code == 403
    assert user.status(topup) == "pending"


def _discard_stored_response(system: System, topup_id: str) -> None:
    """Reset the attempt to its state before the response to create_payment was stored."""
    forget = text(
        "UPDATE attempts SET bank_payment_id = NULL, payment_url = NULL, state = 'creating' WHERE topup_id = :id"
    )
    with system.context.db.autocommit() as tx:
        tx.execute(forget, {"id": topup_id})


def _expire(system: System) -> None:
    """Expire all top-ups without a poll of the bank."""
    with system.context.db.autocommit() as tx:
        tx.execute(text("UPDATE topups SET status = 'expired', next_poll_at = NULL"))


def test_forged_notifications_of_one_bank_do_not_displace_those_of_another(make_system: MakeSystem) -> None:
    system = make_system(forged_notifications_per_hour=2)
    for bank in ("tbank", "tbank", "tbank", "sber"):
        response = requests.post(f"{system.url}/bank/webhook/{bank}", data=b"{}", timeout=TIMEOUT)
        assert response.status_code == 403
    stored = system.rows("SELECT bank, count(*) AS times FROM notifications GROUP BY bank ORDER BY bank")
    assert stored == [{"bank": "sber", "times": 1}, {"bank": "tbank", "times": 2}]
