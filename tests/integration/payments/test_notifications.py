"""What comes to a bank's address: forged, wrong, twice, late, out of order, too early."""

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
import requests
from sqlalchemy import text

from services.payments.models import order_id_of
from services.payments.refunds.tasks import pursue_refunds
from tests.integration.payments.conftest import MakeTown
from tests.integration.payments.servers import TIMEOUT, Town
from tests.support.eventually import eventually


def test_a_forged_notification_changes_nothing_and_is_recorded(town: Town) -> None:
    user = town.user()
    topup = user.start()
    answer = town.notify(town.word(topup), password="guessed")
    assert (answer.status_code, answer.json()["code"]) == (403, "bad_signature")
    assert user.status(topup) == "pending"
    kept = town.rows("SELECT bank, source, verdict, address, body, headers FROM notifications")[0]
    assert (kept["bank"], kept["source"], kept["verdict"]) == ("tbank", "webhook", "bad_signature")
    assert kept["address"] == "127.0.0.1"
    assert "411111" not in kept["body"]
    assert json.loads(kept["body"])["Amount"] == topup["amount"]
    assert "authorization" not in {name.lower() for name in kept["headers"]}


def test_only_so_many_forged_ones_are_kept(make_town: MakeTown) -> None:
    town = make_town(forged_notifications_per_hour=3)
    for _ in range(6):
        assert requests.post(f"{town.url}/bank/webhook/tbank", data=b"\x00junk", timeout=TIMEOUT).status_code == 403
    assert len(town.rows("SELECT 1 FROM notifications")) == 3


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
def test_what_does_not_fit_is_refused_and_the_right_word_still_counts(
    town: Town, wrong: dict[str, object], verdict: str
) -> None:
    user = town.user()
    topup = user.start(50_000)
    answer = town.notify({**town.word(topup), **wrong})
    assert (answer.status_code, answer.json()["code"]) == (409, "notification_refused")
    assert user.status(topup) == "pending"
    assert town.credits(topup["transactionID"]) == 0
    assert [row["verdict"] for row in town.rows("SELECT verdict FROM notifications")] == [verdict]
    right = town.notify(town.word(topup))
    assert (right.status_code, right.text) == (200, "OK")
    assert town.credits(topup["transactionID"]) == 1


def test_the_payment_of_another_order_is_refused(town: Town) -> None:
    user = town.user()
    one, other = user.start(), user.start()
    foreign = town.word(one)["PaymentId"]
    _forget_the_answer(town, other["transactionID"])
    assert town.notify(town.word(other, PaymentId=foreign)).status_code == 409
    assert user.status(other) == "pending"


def test_repeats_are_answered_alike_and_credit_once(town: Town) -> None:
    user = town.user()
    topup = user.start()
    word = town.word(topup)
    for _ in range(3):
        assert town.notify(word).text == "OK"
    assert user.status(topup) == "confirmed"
    assert town.credits(topup["transactionID"]) == 1
    rows = town.rows("SELECT bank_status, verdict, times FROM notifications")
    assert rows == [{"bank_status": "CONFIRMED", "verdict": "applied", "times": 3}]


def test_the_same_word_twice_at_once_credits_once(town: Town) -> None:
    user = town.user()
    topups = [user.start() for _ in range(3)]
    words = [town.word(topup) for topup in topups for _ in range(6)]
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(town.notify, words))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "OK")}
    assert [town.credits(topup["transactionID"]) for topup in topups] == [1, 1, 1]


def test_words_in_the_wrong_order_lead_to_the_same_end(town: Town) -> None:
    user = town.user()
    topup = user.start()
    for status in ("CONFIRMED", "AUTHORIZED", "NEW", "REJECTED", "CONFIRMED"):
        assert town.notify(town.word(topup, status)).text == "OK"
    assert user.status(topup) == "confirmed"
    assert town.credits(topup["transactionID"]) == 1


def test_money_that_comes_after_a_failure_is_credited(town: Town) -> None:
    """A declined card, and then another one: the first word was not the last."""
    user = town.user()
    topup = user.start()
    town.notify(town.word(topup, "REJECTED"))
    assert user.status(topup) == "failed"
    town.notify(town.word(topup))
    assert user.status(topup) == "confirmed"
    assert town.credits(topup["transactionID"]) == 1


@pytest.mark.parametrize("credit_late", [True, False])
def test_money_that_comes_after_the_expiry_is_never_lost(make_town: MakeTown, credit_late: bool) -> None:
    town = make_town(topup_lifetime_seconds=60, topup_credit_late=credit_late)
    user = town.user()
    topup = user.start()
    _expire(town)
    assert user.status(topup) == "expired"
    assert town.notify(town.word(topup)).text == "OK"
    assert user.status(topup) == ("confirmed" if credit_late else "expired")
    assert town.credits(topup["transactionID"]) == (1 if credit_late else 0)
    wanted = "applied" if credit_late else "late_not_credited"
    assert ("CONFIRMED", wanted) in town.verdicts(topup["transactionID"])


def test_late_money_that_is_not_credited_goes_back_to_its_card(make_town: MakeTown) -> None:
    town = make_town(topup_credit_late=False)
    town.plan(["notify_lost"])
    user = town.user()
    topup = user.start()
    _expire(town)
    user.pay(topup)
    for _ in range(2):
        assert town.notify(town.word(topup)).text == "OK"
    pursue_refunds(town.context)
    assert town.bank_rows("SELECT state FROM payments") == [{"state": "REFUNDED"}]
    assert town.rows("SELECT status, was_credited FROM refunds") == [{"status": "done", "was_credited": False}]
    assert (user.status(topup), town.credits(topup["transactionID"])) == ("expired", 0)
    assert town.notify(town.word(topup, "REFUNDED")).text == "OK"
    assert ("REFUNDED", "noted") in town.verdicts(topup["transactionID"])


def test_a_second_payment_for_one_topup_goes_back_to_its_card(town: Town) -> None:
    """A page that we had given up was paid all the same, and then the page that we told was paid too."""
    town.plan(["notify_lost"])
    user = town.user()
    topup = user.start()
    user.pay(topup)
    with town.context.db.autocommit() as tx:
        another = {"id": topup["transactionID"], "order": "given-up", "payment": "1"}
        tx.execute(
            text(
                "INSERT INTO attempts (bank, bank_order_id, topup_id, attempt_no, state, bank_payment_id)"
                " VALUES ('tbank', :order, :id, 2, 'void', :payment)"
            ),
            another,
        )
    assert town.notify({**town.word(topup), "OrderId": "given-up", "PaymentId": 1}).text == "OK"
    assert user.status(topup) == "confirmed"
    assert town.notify(town.word(topup)).text == "OK"
    assert ("CONFIRMED", "second_payment") in town.verdicts(topup["transactionID"])
    assert town.credits(topup["transactionID"]) == 1
    pursue_refunds(town.context)
    assert town.bank_rows("SELECT state FROM payments") == [{"state": "REFUNDED"}]
    assert user.status(topup) == "confirmed"
    refused = town.as_operator("GET", "/internal/notifications/refused").json()["notifications"]
    assert [item["verdict"] for item in refused] == ["second_payment"]


def test_a_notification_before_our_own_answer_is_stored(town: Town) -> None:
    """The bank is quicker than its own answer to us: the order is known, the payment's id is not."""
    user = town.user()
    topup = user.start()
    _forget_the_answer(town, topup["transactionID"])
    assert town.notify(town.word(topup)).text == "OK"
    assert user.status(topup) == "confirmed"
    assert town.credits(topup["transactionID"]) == 1
    attempt = town.rows("SELECT bank_payment_id, state FROM attempts")[0]
    assert attempt == {"bank_payment_id": str(town.word(topup)["PaymentId"]), "state": "paid"}


def test_money_that_was_given_back_before_we_heard_of_it_is_not_credited(town: Town) -> None:
    user = town.user()
    topup = user.start()
    assert town.notify(town.word(topup, "REFUNDED")).text == "OK"
    assert town.notify(town.word(topup, "CONFIRMED")).text == "OK"
    assert user.status(topup) == "failed"
    assert town.credits(topup["transactionID"]) == 0
    assert ("REFUNDED", "unexpected_refund") in town.verdicts(topup["transactionID"])


def test_a_bank_that_is_off_and_a_caller_that_is_not_the_gateway(town: Town) -> None:
    assert requests.post(f"{town.url}/bank/webhook/none", json={}, timeout=TIMEOUT).status_code == 404
    for caller in ("checks", "operator"):
        direct = town.app.test_client().post(
            "/bank/webhook/tbank", json={}, headers={"Authorization": town.keys.bearer(caller, "payments")}
        )
        assert direct.status_code == 403, caller
    assert town.app.test_client().post("/bank/webhook/tbank", json={}).status_code == 401


def test_the_return_of_a_browser_changes_no_money_by_itself(town: Town) -> None:
    user = town.user()
    topup = user.start()
    url = f"{town.url}/topup/{topup['transactionID']}/return"
    for query in ("", "?Success=true&ErrorCode=0&Status=CONFIRMED&Amount=50000"):
        back = requests.get(url + query, allow_redirects=False, timeout=TIMEOUT)
        assert (back.status_code, back.headers["Location"]) == (303, f"{town.url}/back")
    assert user.status(topup) == "pending"
    assert requests.get(f"{town.url}/topup/{uuid4()}/return", timeout=TIMEOUT).status_code == 404
    assert requests.get(f"{town.url}/topup/x/return", timeout=TIMEOUT).status_code == 400


def test_a_return_brings_the_money_when_the_notification_is_lost(town_of_each_bank: Town) -> None:
    town = town_of_each_bank
    town.plan(["notify_lost"])
    user = town.user()
    topup = user.start()
    back = user.pay(topup)
    home = requests.get(back.headers["Location"], allow_redirects=False, timeout=TIMEOUT)
    assert home.status_code == 303
    assert user.status(topup) == "confirmed"
    assert town.credits(topup["transactionID"]) == 1


def test_yookassa_is_believed_only_from_its_addresses_and_only_what_it_says_when_asked(make_town: MakeTown) -> None:
    town = make_town(bank="yookassa")
    user = town.user()
    topup = user.start()
    payment = town.bank_rows("SELECT public_id FROM payments")[0]["public_id"]
    claim = {"type": "notification", "event": "payment.succeeded", "object": {"id": payment, "status": "succeeded"}}
    url = f"{town.url}/bank/webhook/yookassa"
    foreign = requests.post(url, json=claim, headers={"X-Client-Address": "8.8.8.8"}, timeout=TIMEOUT)
    assert foreign.status_code == 403
    assert requests.post(url, json=claim, timeout=TIMEOUT).status_code == 200, "heard, asked back, found unpaid"
    assert user.status(topup) == "pending"
    unknown = {**claim, "object": {"id": str(uuid4())}}
    assert requests.post(url, json=unknown, timeout=TIMEOUT).status_code == 403
    user.pay(topup)
    eventually(lambda: user.status(topup) == "confirmed")
    assert town.credits(topup["transactionID"]) == 1


def test_a_parameter_that_comes_twice_is_refused(make_town: MakeTown) -> None:
    town = make_town(bank="sber")
    topup = town.user().start()
    order = order_id_of(UUID(topup["transactionID"]), 1)
    url = f"{town.url}/bank/webhook/sber?orderNumber={order}&orderNumber=1&mdOrder=1&operation=deposited&status=1"
    assert requests.get(url, timeout=TIMEOUT).status_code == 403


def test_a_callback_of_sber_without_its_checksum_is_forged(make_town: MakeTown) -> None:
    town = make_town(bank="sber")
    user = town.user()
    topup = user.start()
    payment = town.bank_rows("SELECT public_id, order_id FROM payments")[0]
    fields = {
        "mdOrder": payment["public_id"],
        "orderNumber": payment["order_id"],
        "operation": "deposited",
        "status": "1",
    }
    assert requests.get(f"{town.url}/bank/webhook/sber", params=fields, timeout=TIMEOUT).status_code == 403
    assert user.status(topup) == "pending"


def _forget_the_answer(town: Town, topup_id: str) -> None:
    """As if our own answer of create_payment were not stored yet."""
    forget = text(
        "UPDATE attempts SET bank_payment_id = NULL, payment_url = NULL, state = 'creating' WHERE topup_id = :id"
    )
    with town.context.db.autocommit() as tx:
        tx.execute(forget, {"id": topup_id})


def _expire(town: Town) -> None:
    """Let the time of all top-ups be over, without the bank being able to close them."""
    with town.context.db.autocommit() as tx:
        tx.execute(text("UPDATE topups SET status = 'expired', next_poll_at = NULL"))
