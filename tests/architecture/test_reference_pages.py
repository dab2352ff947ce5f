"""The generated reference pages name what the code has, no more and no less."""

import re

import pytest

from tools.reference_pages import NOTICE, PAGES, ROOT


def _identifiers(page: str) -> list[str]:
    """The names in a page: prose is free to lag behind until the next `make reference`, names are not."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page)


@pytest.mark.parametrize("path", PAGES)
def test_page_names_what_the_code_has(path: str) -> None:
    written = (ROOT / path).read_text()
    assert NOTICE in written
    assert _identifiers(written) == _identifiers(PAGES[path]()), "run `make reference`"
