"""Correct books: the auditor reports no finding and lists the money in flight."""

from tests.integration.auditor.conftest import SampleBooks


def test_sample_books_have_no_findings(sample_books: SampleBooks) -> None:
    report = sample_books.audit()
    assert report.findings == []
    assert report.is_clean
    assert report.counts["transfers"] > 15
    assert report.head is not None


def test_money_in_flight_is_listed_with_its_reason(sample_books: SampleBooks) -> None:
    ids = sample_books.ids
    in_flight = {item.subject: (item.amount_minor, item.reason) for item in sample_books.audit().in_flight}
    assert in_flight == {
        f"check {ids['pending']}": (500, "being created: the hold is not decided yet"),
        f"check {ids['in flight']}": (8_000, "used: its event is not processed yet"),
        f"top-up {ids['credit in flight']}": (14_000, "confirmed: its event is not processed yet"),
        f"top-up {ids['paid at the bank']}": (16_000, "paid at the bank, not reported yet"),
    }


def test_totals_equal_the_money_in_the_sample_books(sample_books: SampleBooks) -> None:
    totals = {place: money["RUB"] for place, money in sample_books.audit().totals.items()}
    assert totals == {"bank": -198_001, "escrow": 16_000, "user": 182_001}
