"""Books that are right: the auditor says so, and names what is on its way."""

from tests.integration.audit.conftest import Books


def test_the_books_of_the_town_are_right(books_of_town: Books) -> None:
    report = books_of_town.audit()
    assert report.findings == []
    assert report.is_clean
    assert report.counts["transfers"] > 15
    assert report.head is not None


def test_money_in_flight_is_named_with_its_reason(books_of_town: Books) -> None:
    ids = books_of_town.ids
    in_flight = {item.subject: (item.amount_minor, item.reason) for item in books_of_town.audit().in_flight}
    assert in_flight == {
        f"check {ids['pending']}": (500, "being created: the hold is not decided yet"),
        f"check {ids['on its way']}": (8_000, "used: its event is on the way"),
        f"top-up {ids['credit on its way']}": (14_000, "confirmed: its event is on the way"),
        f"top-up {ids['paid at the bank']}": (16_000, "paid at the bank, whose word is on the way"),
    }


def test_the_totals_are_the_money_of_the_town(books_of_town: Books) -> None:
    totals = {place: money["RUB"] for place, money in books_of_town.audit().totals.items()}
    assert totals == {"bank": -198_001, "escrow": 16_000, "user": 182_001}
