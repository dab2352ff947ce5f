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


def test_open_event_of_another_subscriber_is_no_money_in_flight(sample_books: SampleBooks) -> None:
    """Balance moves the money. An event that webhooks has not received says nothing of the ledger."""
    before = sample_books.audit().in_flight
    written = (
        "INSERT INTO outbox (event_id, subscriber, type, payload, occurred_at) SELECT gen_random_uuid(), 'webhooks'"
    )
    sample_books.damage(
        "checks", f"{written}, 'check.created.v1', jsonb_build_object('check_id', check_id), now() FROM checks"
    )
    sample_books.damage(
        "payments", f"{written}, 'payment.confirmed.v1', jsonb_build_object('topup_id', topup_id), now() FROM topups"
    )
    report = sample_books.audit()
    assert report.findings == []
    assert report.in_flight == before
