"""The checked and the stored ``returnUrl`` are the same URL."""

import pytest
from pydantic import ValidationError

from services.payments.config import canonical_url, origin_of
from services.payments.topups.schemas import TopUpRequest


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("https://shop.example/done?x=1&y=%20#top", "https://shop.example/done?x=1&y=%20#top"),
        ("HTTPS://Shop.Example:443", "https://shop.example"),
        ("https://shop.example:8443/a b", "https://shop.example:8443/a%20b"),
        ("https://shop.example/\u0447\u0435\u043a", "https://shop.example/%D1%87%D0%B5%D0%BA"),
        ('https://shop.example/"<x>\\', "https://shop.example/%22%3Cx%3E%5C"),
        ("https://shop.example//evil.example/", "https://shop.example//evil.example/"),
        ("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080/"),
    ],
)
def test_url_is_stored_as_it_was_parsed(given: str, stored: str) -> None:
    assert canonical_url(given) == stored
    assert canonical_url(stored) == stored
    assert origin_of(stored) == origin_of(given)


@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\x00", "\x1f", "\x7f", "\x85"])
def test_control_character_in_a_return_url_is_rejected(character: str) -> None:
    with pytest.raises(ValidationError, match="must not contain control characters"):
        TopUpRequest.model_validate({"amount": 1, "returnUrl": f"https://shop.example/a{character}b"})
