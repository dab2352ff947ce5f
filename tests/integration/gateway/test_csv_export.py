"""Lists as CSV through the gateway, page after page."""

import csv
import io
import json

import pytest
from werkzeug import Response

from common.core.errors import ServiceUnavailable
from tests.integration.gateway.conftest import Gateway, Stack

CSV = "text/csv"


def pages_of(stack: Stack, *pages: Response) -> None:
    remaining = list(pages)
    stack.recorder.respond = lambda: remaining.pop(0)


def page(*notes: str, cursor: str | None = None) -> Response:
    checks = [{"fastcheck": "1234-5678-0001", "amount": 500, "type": "created", "note": note} for note in notes]
    body = {"checks": checks, **({"nextCursor": cursor} if cursor else {})}
    return Response(json.dumps(body), mimetype="application/json")


def test_all_pages_are_one_table(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    pages_of(stack, page("first", '=1+1, "x"', cursor="a=b"), page("обед"))
    response = gateway.get("/fastcheck/history?type=created&limit=1", session, Accept=CSV)
    assert (response.status_code, response.content_type) == (200, "text/csv; charset=utf-8")
    assert response.headers["Content-Disposition"] == 'attachment; filename="fastcheck-history.csv"'
    assert response.headers["Cache-Control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(response.data.decode(), newline="")))
    assert [row["note"] for row in rows] == ["first", '\'=1+1, "x"', "обед"]
    assert rows[0] | {"fastcheck": "1234-5678-0001", "amount": "500", "usedAt": ""} == rows[0]
    queries = [request.raw_query for request in stack.recorder.requests]
    assert queries == [b"type=created&limit=500", b"type=created&limit=500&cursor=a%3Db"]


def test_statement_has_its_own_columns(gateway: Gateway) -> None:
    response = gateway.get("/v1/balance/history", gateway.register(), Accept=CSV)
    assert response.data == (b"entryID,createdAt,kind,amount,balanceAfter,currency,fastcheck,transactionID\r\n")


def test_an_error_of_the_first_page_is_an_ordinary_error(gateway: Gateway) -> None:
    session = gateway.register()
    response = gateway.get("/balance/history?from=yesterday", session, Accept=CSV)
    assert (response.status_code, response.get_json()["errors"]) == (
        400,
        {"from": "must be a time like 2026-01-19T09:08:18Z"},
    )
    assert gateway.get("/balance/history", Accept=CSV).get_json() == {"message": "not authorized"}


def test_a_page_that_fails_later_breaks_the_stream(stack: Stack, gateway: Gateway) -> None:
    session = gateway.register()
    pages_of(stack, page("first", cursor="x"), Response(b"{}", status=503, mimetype="application/json"))
    with pytest.raises(ServiceUnavailable):
        _ = gateway.get("/fastcheck/history", session, Accept=CSV).data


def test_exports_at_once_are_bounded_and_their_slots_come_back(stack: Stack) -> None:
    gateway = stack.gateway(exports_at_once=1)
    session = gateway.register()
    for _ in range(3):
        response = gateway.get("/balance/history", session, Accept=CSV)
        assert response.status_code == 200
        response.close()
    assert gateway.context.export_slots.acquire(blocking=False)
    assert gateway.get("/balance/history", session, Accept=CSV).status_code == 503
    gateway.context.export_slots.release()
