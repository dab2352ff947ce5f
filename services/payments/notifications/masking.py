"""Removal of card data from messages before they are stored."""

import re
from typing import Final

MASK: Final = "[masked]"

#: Names of fields with card data, in JSON and in forms. Their values are always masked.
_CARD_FIELDS: Final = (
    r"pan|maskedpan|cardnumber|card_number|first6|last4|expdate|expiration|expiry|expiry_month|expiry_year|cvc|cvv|cvv2"
    r"|cardholdername|cardholder|cardid|rebillid"
)
_JSON_FIELD: Final = re.compile(rf'("(?:{_CARD_FIELDS})"\s*:\s*)("(?:[^"\\]|\\.)*"|[^\s,}}\]]+)', re.IGNORECASE)
_FORM_FIELD: Final = re.compile(rf"((?:^|&)(?:{_CARD_FIELDS})=)[^&]*", re.IGNORECASE)
_DIGITS: Final = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")


def mask_cards(text: str) -> str:
    """Mask card numbers (13 to 19 digits that pass the Luhn check) and the values of card fields."""
    text = _JSON_FIELD.sub(rf'\1"{MASK}"', text)
    text = _FORM_FIELD.sub(rf"\1{MASK}", text)
    return _DIGITS.sub(lambda match: MASK if passes_luhn(match.group()) else match.group(), text)


def passes_luhn(number: str) -> bool:
    """Return whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    digits = [int(character) for character in number if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
