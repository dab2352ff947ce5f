"""Notifications in JSON that could be read in two ways are not authentic."""

import pytest

from services.payments.banks.base import BadSignature
from services.payments.banks.json_message import parse_object


def test_numbers_stay_text_where_a_signature_covers_their_text() -> None:
    assert parse_object(b'{"a": 1.50, "b": {"c": 10}}', parse_number=str) == {"a": "1.50", "b": {"c": "10"}}
    assert parse_object(b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        b'{"Token": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": [{"b": "x\\ud800y"}]}',
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'[{"a": 1}]',
        b"null",
        b"",
        b"{",
        b"\xff",
        b'{"a": "\xed\xa0\x80"}',
        b"[" * 100_000,
    ],
)
def test_message_without_one_meaning_is_forged(body: bytes) -> None:
    with pytest.raises(BadSignature):
        parse_object(body)


def test_surrogate_pair_is_a_character() -> None:
    assert parse_object(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}
