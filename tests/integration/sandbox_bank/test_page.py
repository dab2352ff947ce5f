"""The payment page: works without scripts and stores no card data."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from services.sandbox_bank.protocols.tbank import sign
from tests.integration.payments.servers import DECLINED_CARD, PASSWORD, PAYING_CARD, TERMINAL, TIMEOUT
from tests.integration.sandbox_bank.conftest import Merchant, RunningBank
from tests.support.eventually import eventually

CARD = {"card_number": PAYING_CARD, "expiry": "12/30", "cvc": "123"}


def init(bank: RunningBank, order: str = "37", **more: object) -> str:
    """Create a payment and return the URL of its page."""
    fields = {
        "TerminalKey": TERMINAL,
        "Amount": 123_450,
        "OrderId": order,
        "SuccessURL": "https://shop.example/thanks",
        "FailURL": "https://shop.example/sorry",
        **more,
    }
    response = requests.post(f"{bank.url}/v2/Init", json={**fields, "Token": sign(fields, PASSWORD)}, timeout=TIMEOUT)
    return str(response.json()["PaymentURL"])


def post(url: str, **fields: str) -> requests.Response:
    return requests.post(url, data=fields, allow_redirects=False, timeout=TIMEOUT)


def test_page_shows_the_amount_and_a_warning_against_real_cards(bank: RunningBank) -> None:
    page = requests.get(init(bank, Description="Для <друга>"), timeout=TIMEOUT)
    assert page.status_code == 200
    for shown in ("Not a real bank", "Never enter a real card here", "1\u00a0234.50", "FastCheck", "Для &lt;друга&gt;"):
        assert shown in page.text, shown
    for name in ('name="card_number"', 'name="expiry"', 'name="cvc"', 'value="cancel"', 'method="post"'):
        assert name in page.text
    assert 'name="viewport"' in page.text
    assert "<script" not in page.text
    assert "http" not in page.text.replace("https://shop.example", ""), "no external resources"
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
def test_form_pays_declines_or_cancels(bank: RunningBank, fields: dict[str, str], location: str, state: str) -> None:
    url = init(bank)
    response = post(url, **fields)
    assert (response.status_code, response.headers["Location"]) == (303, location)
    assert bank.rows("SELECT state FROM payments") == [{"state": state}]
    repeat = requests.get(url, timeout=TIMEOUT)
    assert "<form" not in repeat.text
    assert post(url, **CARD).headers["Location"] == location, "a repeated form pays once"
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
def test_invalid_form_is_shown_again_and_charges_nothing(bank: RunningBank, fields: dict[str, str]) -> None:
    url = init(bank)
    response = post(url, **fields)
    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.text
    assert "Nothing was charged" in response.text
    assert "5555" not in response.text, "the card number is not shown"
    assert bank.rows("SELECT state FROM payments") == [{"state": "NEW"}]


def test_cross_site_form_is_rejected(bank: RunningBank) -> None:
    url = init(bank)
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
        response = requests.post(
            url, data=CARD, headers={"Sec-Fetch-Site": site}, allow_redirects=False, timeout=TIMEOUT
        )
        assert response.status_code == status, site


def test_unknown_page_key_is_not_found(bank: RunningBank) -> None:
    init(bank)
    for key in ("x", "../assets", "2000000001"):
        assert requests.get(f"{bank.url}/pay/{key}", timeout=TIMEOUT).status_code == 404
        assert post(f"{bank.url}/pay/{key}", **CARD).status_code == 404


def test_expired_payment_cannot_be_paid(bank: RunningBank, merchant: Merchant) -> None:
    url = init(bank, NotificationURL=merchant.url)
    bank.rows("UPDATE payments SET expires_at = now() RETURNING 1")
    assert post(url, **CARD).headers["Location"] == "https://shop.example/sorry"
    assert "payment has expired" in requests.get(url, timeout=TIMEOUT).text
    eventually(lambda: [b'"DEADLINE_EXPIRED"' in body for *_, body in merchant.received] == [True])


def test_sber_return_url_carries_the_order_id(bank: RunningBank) -> None:
    form = {
        "userName": "fastcheck-api",
        "password": "sber-password",
        "orderNumber": "1",
        "amount": "100",
        "returnUrl": "https://shop.example/?a=1",
    }
    response = requests.post(f"{bank.url}/payment/rest/register.do", data=form, timeout=TIMEOUT).json()
    back = post(response["formUrl"], **CARD).headers["Location"]
    assert parse_qs(urlsplit(back).query) == {"a": ["1"], "orderId": [response["orderId"]], "lang": ["ru"]}


def test_card_data_is_neither_stored_nor_logged(
    bank: RunningBank, merchant: Merchant, capfd: pytest.CaptureFixture[str]
) -> None:
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
