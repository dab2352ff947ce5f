"""Which requests get CSV, and what a cell holds."""

import pytest

from services.gateway.csv_export import cell, first_page, wants_csv


@pytest.mark.parametrize(
    ("accept", "csv"),
    [
        ("text/csv", True),
        ("text/csv, application/json;q=0.5", True),
        ("text/csv, */*;q=0.1", True),
        ("text/csv;q=0.5, application/json", False),
        ("text/csv, application/json", False),
        ("text/*", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_only_a_preference_for_csv_selects_it(accept: str, csv: bool) -> None:
    assert wants_csv(accept) is csv


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum(A1)", "\t=1", "\r=1", '=HYPERLINK("https://evil.example")'])
def test_a_text_that_a_spreadsheet_would_run_is_neutralised(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["For dinner", "1234-5678-0001", "", -15000, 0])
def test_other_texts_and_numbers_stay(value: object) -> None:
    assert cell(value) == value


def test_an_export_keeps_filters_and_ignores_pages() -> None:
    assert first_page("type=created&limit=3&cursor=abc&from=2026-01-01T00%3A00%3A00Z") == (
        "type=created&from=2026-01-01T00%3A00%3A00Z&limit=500"
    )
    assert first_page("") == "limit=500"
