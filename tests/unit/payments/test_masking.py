"""Card data is masked in stored messages."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.notifications.masking import MASK, mask_cards, passes_luhn

CARDS = ["4111111111111111", "4000000000000002", "5555555555554444", "2200000000000004", "378282246310005"]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("form", ["{}", "pan {} here", '"x":"{}"', "a={}&b=1", "{},"])
def test_card_numbers_are_masked(card: str, form: str) -> None:
    spaced = " ".join(card[place : place + 4] for place in range(0, len(card), 4))
    for written in (card, spaced, spaced.replace(" ", "-")):
        masked = mask_cards(form.format(written))
        assert written not in masked
        assert MASK in masked


def test_card_fields_are_masked_for_every_value() -> None:
    body = {
        "Pan": "430000******0777",
        "ExpDate": "1230",
        "CardId": 17,
        "Amount": 100,
        "first6": "411111",
        "last4": "1111",
    }
    masked = json.loads(mask_cards(json.dumps(body)))
    assert masked == {**dict.fromkeys(body, MASK), "Amount": 100}
    assert mask_cards("mdOrder=1&cvc=123&pan=4111&amount=5") == f"mdOrder=1&cvc={MASK}&pan={MASK}&amount=5"


def test_other_numbers_are_not_masked() -> None:
    text = '{"PaymentId":2000000001,"OrderId":"4be203f143584 47e7a0d4a428383e56a4","n":"1234567890123","Amount":50000}'
    assert mask_cards(text) == text


@given(st.text(max_size=200))
def test_masking_is_idempotent(text: str) -> None:
    assert mask_cards(mask_cards(text)) == mask_cards(text)


def test_luhn_check_accepts_valid_card_numbers() -> None:
    assert all(passes_luhn(card) for card in CARDS)
    assert not passes_luhn("4111111111111112")
