"""The generated reference pages name what the code has, no more and no less."""

import re

import pytest

from tools import log_events
from tools.reference_pages import NOTICE, PAGES, ROOT


def _identifiers(page: str) -> list[str]:
    """Return the names in a page. Prose may be older until the next `make reference`; names may not."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page)


@pytest.mark.parametrize("path", PAGES)
def test_page_names_what_the_code_has(path: str) -> None:
    written = (ROOT / path).read_text()
    assert NOTICE in written
    assert _identifiers(written) == _identifiers(PAGES[path]()), "run `make reference`"


def test_log_events_page_lists_every_program() -> None:
    listed = {package.replace(".", "/") for packages in log_events.BY_PROGRAM.values() for package in packages}
    found = {
        str(path.parent.relative_to(ROOT))
        for folder in ("common", "services", "auditor")
        for path in (ROOT / folder).rglob("log_events.py")
    }
    assert listed == found
