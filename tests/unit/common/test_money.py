"""Money is a whole number of minor units and a currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.core.money import MAX_AMOUNT_MINOR, MINOR_DIGITS, Money


@given(st.integers(0, MAX_AMOUNT_MINOR), st.sampled_from(sorted(MINOR_DIGITS)))
def test_decimal_and_back_is_the_same_amount(amount_minor: int, currency: str) -> None:
    money = Money(amount_minor, currency)
    assert Money.from_decimal(str(money.to_decimal()), currency) == money


@pytest.mark.parametrize(("text", "currency"), [("0.001", "RUB"), ("1.005", "USD"), ("1.5", "JPY")])
def test_fraction_of_a_minor_unit_is_rejected(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        Money.from_decimal(Decimal(text), currency)


@pytest.mark.parametrize("amount", [1.0, True, "5", None])
def test_amount_must_be_an_integer(amount: object) -> None:
    with pytest.raises(TypeError):
        Money(amount, "RUB")  # type: ignore[arg-type]


@pytest.mark.parametrize(("amount", "currency"), [(-1, "RUB"), (1, "rub"), (1, "XXX"), (1, "")])
def test_negative_amount_and_unknown_currency_are_rejected(amount: int, currency: str) -> None:
    with pytest.raises(ValueError):
        Money(amount, currency)


def test_text_has_the_decimals_of_the_currency() -> None:
    assert str(Money(15000, "RUB")) == "150.00 RUB"
    assert str(Money(150, "JPY")) == "150 JPY"
