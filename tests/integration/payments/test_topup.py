"""A top-up from the request to the credit, over real HTTP, with the bank's own notifications."""

import requests

from services.payments.polling.tasks import poll_topups
from tests.integration.payments.conftest import MakeSystem
from tests.integration.payments.servers import DECLINED_CARD, TIMEOUT, System
from tests.support.eventually import eventually


def test_paid_top_up_is_credited_once_and_the_browser_returns(system_of_each_bank: System) -> None:
    system = system_of_each_bank
    user = system.user()
    topup = user.start(50_000)
    assert topup | {"transactionID": "", "paymentUrl": "", "createdAt": ""} == {
        "transactionID": "",
        "amount": 50_000,
        "currency": "RUB",
        "status": "pending",
        "paymentUrl": "",
        "createdAt": "",
    }
    back = user.pay(topup)
    assert back.status_code == 303
    assert back.headers["Location"].split("?")[0] == f"{system.url}/topup/{topup['transactionID']}/return"
    home = requests.get(back.headers["Location"], allow_redirects=False, timeout=TIMEOUT)
    assert (home.status_code, home.headers["Location"]) == (303, f"{system.url}/back")

    eventually(lambda: user.status(topup) == "confirmed")
    assert set(user.topup(topup)) == {"transactionID", "amount", "currency", "status", "createdAt", "confirmedAt"}
    eventually(lambda: not system.bank_rows("SELECT 1 FROM deliveries WHERE delivered_at IS NULL"))
    assert system.credits(topup["transactionID"]) == 1
    event = system.rows("SELECT type, subscriber, payload FROM outbox")[0]
    assert (event["type"], event["subscriber"]) == ("payment.confirmed.v1", "balance")
    assert event["payload"]["amount_minor"] == 50_000
    assert event["payload"]["user_id"] == str(user.user_id)


def test_payment_url_is_reported_to_its_owner_while_the_topup_can_be_paid(system: System) -> None:
    user, other = system.user(), system.user()
    topup = user.start(50_000)
    assert user.topup(topup)["paymentUrl"] == topup["paymentUrl"]
    path = f"{system.url}/topup/{topup['transactionID']}"
    refused = requests.get(path, headers=other.headers(), timeout=TIMEOUT)
    assert (refused.status_code, refused.json()["code"]) == (404, "topup_not_found")
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    assert "paymentUrl" not in user.topup(topup)


def test_declined_or_cancelled_payment_fails_the_top_up(system_of_each_bank: System) -> None:
    system = system_of_each_bank
    user = system.user()
    declined, cancelled = user.start(), user.start()
    user.pay(declined, card=DECLINED_CARD)
    user.pay(cancelled, card="", action="cancel")
    eventually(lambda: user.status(declined) == "failed")
    eventually(lambda: user.status(cancelled) == "failed")
    assert system.credits(declined["transactionID"]) == system.credits(cancelled["transactionID"]) == 0


def test_repeat_with_a_key_returns_the_same_top_up(system: System) -> None:
    user = system.user()
    first, repeat = user.post_topup(key="k-1"), user.post_topup(key="k-1")
    assert first.status_code == repeat.status_code == 201
    assert first.json() == repeat.json()
    assert repeat.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert user.post_topup(amount=1, key="k-1").json()["code"] == "idempotency_key_reused"
    assert len(system.bank_rows("SELECT 1 FROM payments")) == 1


def test_invalid_top_up_request_is_rejected(system: System) -> None:
    user = system.user()
    for url in ("https://evil.example/", "javascript:alert(1)", "//evil.example", "https://shop.example@evil.example/"):
        refused = user.post_topup(returnUrl=url)
        assert (refused.status_code, refused.json()["code"]) == (400, "return_url_not_allowed"), url
    assert user.post_topup(returnUrl="https://shop.example/done?x=1").status_code == 201
    assert user.post_topup(currency="USD").status_code == 400
    for amount in (0, -1, 1.5, "100", True):
        assert user.post_topup(amount=amount).status_code == 400, amount  # type: ignore[arg-type]
    unsigned = requests.post(f"{system.url}/topup", json={"amount": 1, "returnUrl": system.url}, timeout=TIMEOUT)
    assert (unsigned.status_code, unsigned.json()) == (401, {"message": "not authorized"})


def test_top_ups_are_listed_newest_first_and_only_to_their_owner(system: System) -> None:
    user, other = system.user(), system.user()
    ids = [user.start(100 + n)["transactionID"] for n in range(5)]
    first = requests.get(f"{system.url}/topup?limit=3", headers=user.headers(), timeout=TIMEOUT).json()
    rest = requests.get(
        f"{system.url}/topup", params={"cursor": first["nextCursor"]}, headers=user.headers(), timeout=TIMEOUT
    ).json()
    assert [topup["transactionID"] for topup in first["topups"] + rest["topups"]] == ids[::-1]
    assert "nextCursor" not in rest
    foreign = requests.get(f"{system.url}/topup/{ids[0]}", headers=other.headers(), timeout=TIMEOUT)
    assert (foreign.status_code, foreign.json()["code"]) == (404, "topup_not_found")


def test_poll_credits_when_every_notification_is_lost(make_system: MakeSystem) -> None:
    system = make_system(topup_poll_first_seconds=0.05)
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    user.pay(topup)

    def polled() -> bool:
        poll_topups(system.context)
        return user.status(topup) == "confirmed"

    eventually(polled)
    assert system.credits(topup["transactionID"]) == 1
    assert system.verdicts(topup["transactionID"]) == {("CONFIRMED", "applied")}


def test_payment_at_the_bank_carries_the_transaction_id(system_of_each_bank: System) -> None:
    topup = system_of_each_bank.user().start()
    description = system_of_each_bank.bank_rows("SELECT description FROM payments")[0]["description"]
    assert topup["transactionID"] in description


def test_unpaid_topups_of_one_user_are_limited(make_system: MakeSystem) -> None:
    system = make_system(topups_pending_per_user=2)
    user = system.user()
    first = user.post_topup(key="k-1")
    second = user.start()
    for refused in (user.post_topup(), user.post_topup(key="k-2")):
        assert (refused.status_code, refused.json()["code"]) == (409, "too_many_pending_topups")
    assert len(system.bank_rows("SELECT 1 FROM payments")) == 2, "the bank is not called"
    assert user.post_topup(key="k-1").json() == first.json(), "a repeat is no new top-up"
    assert system.user().post_topup().status_code == 201
    user.pay(second)
    eventually(lambda: user.status(second) == "confirmed")
    assert user.post_topup(key="k-2").status_code == 201, "a refusal is not stored under the key"
