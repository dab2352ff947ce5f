"""Pages and their cursors, which are opaque and validated."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.core.errors import InvalidRequest
from common.http.server.paging import decode_cursor, encode_cursor, page_of


@given(st.text(), st.integers())
def test_decoded_cursor_equals_its_values(text: str, number: int) -> None:
    assert decode_cursor(encode_cursor(text, number), str, int) == (text, number)


@pytest.mark.parametrize(
    "cursor",
    ["", "zzz", "ыыы", base64.urlsafe_b64encode(b"[1]").decode(), encode_cursor("1", "2"), encode_cursor(1, 2, 3)]
    + [
        base64.urlsafe_b64encode(json.dumps(value).encode()).decode() for value in ({"a": 1}, None, [True, 1], [1.5, 2])
    ],
)
def test_invalid_cursor_is_rejected(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        decode_cursor(cursor, int, int)


@given(st.text(max_size=60))
def test_any_text_decodes_or_is_rejected(text: str) -> None:
    try:
        decode_cursor(text, int)
    except InvalidRequest:
        return


def test_only_a_page_with_a_successor_has_a_cursor() -> None:
    assert page_of([3, 2, 1], 3, lambda n: (n,)).next_cursor is None
    page = page_of([3, 2, 1], 2, lambda n: (n,))
    assert page.items == [3, 2]
    assert page.next_cursor is not None
    assert decode_cursor(page.next_cursor, int) == (2,)
