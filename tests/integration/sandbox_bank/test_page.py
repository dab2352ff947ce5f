"""The payment page: looks like one, works without scripts, keeps nothing of a card."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from services.sandbox_bank.protocols.tbank import sign
from tests.integration.payments.servers import DECLINED_CARD, PASSWORD, PAYING_CARD, TERMINAL, TIMEOUT
from tests.integration.sandbox_bank.conftest import Merchant, RunningBank
from tests.support.eventually import eventually

CARD = {"card_number": PAYING_CARD, "expiry": "12/30", "cvc": "123"}


def init(bank: RunningBank, order: str = "37", **more: object) -> str:
    """The address of a payment's page."""
    fields = {
        "TerminalKey": TERMINAL,
        "Amount": 123_450,
        "OrderId": order,
        "SuccessURL": "https://shop.example/thanks",
        "FailURL": "https://shop.example/sorry",
        **more,
    }
    answer = requests.post(f"{bank.url}/v2/Init", json={**fields, "Token": sign(fields, PASSWORD)}, timeout=TIMEOUT)
    return str(answer.json()["PaymentURL"])


def post(url: str, **fields: str) -> requests.Response:
    return requests.post(url, data=fields, allow_redirects=False, timeout=TIMEOUT)


def test_the_page_says_what_is_paid_and_that_no_real_card_belongs_here(bank: RunningBank) -> None:
    page = requests.get(init(bank, Description="Для <друга>"), timeout=TIMEOUT)
    assert page.status_code == 200
    for shown in ("Not a real bank", "Never enter a real card here", "1\u00a0234.50", "FastCheck", "Для &lt;друга&gt;"):
        assert shown in page.text, shown
    for name in ('name="card_number"', 'name="expiry"', 'name="cvc"', 'value="cancel"', 'method="post"'):
        assert name in page.text
    assert 'name="viewport"' in page.text
    assert "<script" not in page.text
    assert "http" not in page.text.replace("https://shop.example", ""), "nothing comes from elsewhere"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    style = requests.get(f"{bank.url}/assets/pay.css", timeout=TIMEOUT)
    assert style.headers["Content-Type"].startswith("text/css")
    assert requests.get(f"{bank.url}/assets/pay.html", timeout=TIMEOUT).status_code == 404


@pytest.mark.parametrize(
    ("fields", "location", "state"),
    [
        (CARD, "https://shop.example/thanks", "CONFIRMED"),
        (
            {**CARD, "action": "pay", "card_number": "4111111111111111", "expiry": "0199"},
            "https://shop.example/thanks",
            "CONFIRMED",
        ),
        ({**CARD, "card_number": DECLINED_CARD}, "https://shop.example/sorry", "REJECTED"),
        ({"action": "cancel"}, "https://shop.example/sorry", "CANCELED"),
    ],
)
def test_what_a_form_leads_to(bank: RunningBank, fields: dict[str, str], location: str, state: str) -> None:
    url = init(bank)
    answer = post(url, **fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, location)
    assert bank.rows("SELECT state FROM payments") == [{"state": state}]
    again = requests.get(url, timeout=TIMEOUT)
    assert "<form" not in again.text
    assert post(url, **CARD).headers["Location"] == location, "sent twice, it is paid once"
    assert bank.rows("SELECT state FROM payments") == [{"state": state}]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {**CARD, "card_number": ""},
        {**CARD, "card_number": "5555 5555 5555 4444"},
        {**CARD, "expiry": "13/30"},
        {**CARD, "expiry": ""},
        {**CARD, "cvc": "12"},
        {**CARD, "cvc": "12a"},
    ],
)
def test_a_form_that_is_not_right_is_shown_again_and_charges_nothing(bank: RunningBank, fields: dict[str, str]) -> None:
    url = init(bank)
    answer = post(url, **fields)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert "Nothing was charged" in answer.text
    assert "5555" not in answer.text, "a number is not shown again"
    assert bank.rows("SELECT state FROM payments") == [{"state": "NEW"}]


def test_a_form_of_another_site_is_refused(bank: RunningBank) -> None:
    url = init(bank)
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
        answer = requests.post(url, data=CARD, headers={"Sec-Fetch-Site": site}, allow_redirects=False, timeout=TIMEOUT)
        assert answer.status_code == status, site


def test_a_page_that_nobody_was_told_is_not_found(bank: RunningBank) -> None:
    init(bank)
    for key in ("x", "../assets", "2000000001"):
        assert requests.get(f"{bank.url}/pay/{key}", timeout=TIMEOUT).status_code == 404
        assert post(f"{bank.url}/pay/{key}", **CARD).status_code == 404


def test_a_payment_whose_time_is_over_cannot_be_paid(bank: RunningBank, merchant: Merchant) -> None:
    url = init(bank, NotificationURL=merchant.url)
    bank.rows("UPDATE payments SET expires_at = now() RETURNING 1")
    assert post(url, **CARD).headers["Location"] == "https://shop.example/sorry"
    assert "payment has expired" in requests.get(url, timeout=TIMEOUT).text
    eventually(lambda: [b'"DEADLINE_EXPIRED"' in body for *_, body in merchant.received] == [True])


def test_sber_names_its_order_when_the_browser_goes_back(bank: RunningBank) -> None:
    form = {
        "userName": "fastcheck-api",
        "password": "sber-password",
        "orderNumber": "1",
        "amount": "100",
        "returnUrl": "https://shop.example/?a=1",
    }
    answer = requests.post(f"{bank.url}/payment/rest/register.do", data=form, timeout=TIMEOUT).json()
    back = post(answer["formUrl"], **CARD).headers["Location"]
    assert parse_qs(urlsplit(back).query) == {"a": ["1"], "orderId": [answer["orderId"]], "lang": ["ru"]}


def test_nothing_of_a_card_is_stored(bank: RunningBank, merchant: Merchant, capfd: pytest.CaptureFixture[str]) -> None:
    url = init(bank, NotificationURL=merchant.url)
    post(url, **{**CARD, "card_number": "5555 5555 5555 4444"})
    post(url, **CARD)
    eventually(lambda: len(merchant.received) == 2)
    stored = str(bank.rows("SELECT p::text AS row FROM payments p")) + str(
        bank.rows("SELECT d::text, convert_from(d.body, 'UTF8') AS body FROM deliveries d")
    )
    written = capfd.readouterr()
    for digits in ("4111111111111111", "4111 1111 1111 1111", "5555555555554444", "5555 5555 5555 4444"):
        assert digits not in stored
        assert digits not in written.out + written.err
