"""Parsing of the session header."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.core.errors import NotAuthorized
from services.gateway.session_header import session_hash_of

ID = "1AF3781BF6B94604B771AEA1D44FA63A"
HASH = hashlib.sha256(ID.encode()).hexdigest()


@pytest.mark.parametrize(
    "header",
    [
        f'{{"sessionID": "{ID}"}}',
        f'{{"sessionID":"{ID}"}}',
        f'  {{ "sessionID" :\t"{ID}" }}  ',
        f'{{"session\\u0049D": "{ID}"}}',
        f"Bearer {ID}",
    ],
)
def test_both_header_formats_are_accepted(header: str) -> None:
    assert session_hash_of(header) == HASH


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        ID,
        f'"{ID}"',
        f"bearer {ID}",
        f"Bearer  {ID}",
        f"Bearer {ID} ",
        f"Bearer {ID}\n",
        f"Bearer{ID}",
        f"Basic {ID}",
        f"Bearer {ID.lower()}",
        f"Bearer {ID[:-1]}",
        f"Bearer {ID}0",
        f"Bearer {ID[:-1]}G",
        f"Bearer {ID[:-1]}\u0660",
        f'{{"sessionID": "{ID.lower()}"}}',
        f'{{"sessionID": "{ID}\\n"}}',
        f'{{"sessionID": "{ID}", "other": 1}}',
        f'{{"sessionID": "{ID}", "sessionID": "{ID}"}}',
        f'{{"sessionid": "{ID}"}}',
        f'{{"sessionID": ["{ID}"]}}',
        f'[["sessionID", "{ID}"]]',
        f'["sessionID", "{ID}"]',
        f'[{{"sessionID": "{ID}"}}]',
        f"{{'sessionID': '{ID}'}}",
        f'{{"sessionID": "{ID}"}} x',
        f'{{"sessionID": "{ID}"',
        '{"sessionID": 12345678901234567890123456789012}',
        '{"sessionID": null}',
        "{}",
        "[]",
        "null",
        "NaN",
        "[" * 100_000,
        "{" * 200,
        "\x00",
    ],
)
def test_anything_else_is_not_authorized(header: str | None) -> None:
    with pytest.raises(NotAuthorized) as refusal:
        session_hash_of(header)
    assert refusal.value.body() == {"message": "not authorized"}


@given(st.text())
def test_any_other_text_is_not_authorized(text: str) -> None:
    with pytest.raises(NotAuthorized):
        session_hash_of(text)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3))
def test_object_with_other_keys_is_not_authorized(content: dict[str, object]) -> None:
    with pytest.raises(NotAuthorized):
        session_hash_of(json.dumps(content))
    assert session_hash_of(json.dumps({"sessionID": ID})) == HASH
