"""Lists as CSV (RFC 4180) on ``Accept: text/csv``: the whole list, streamed.

The gateway reads one page after another from the service that owns the list and sends each before it reads the next, so
neither holds the list. The number of exports at once is bounded, because each occupies a thread until its client has
read it. If a page cannot be read, the connection is closed without the final chunk, which clients notice.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from flask import Response as FlaskResponse
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from common.core.errors import ServiceUnavailable
from common.http.client.client import HttpResponse
from services.gateway.context import Context

CSV: Final = "text/csv"
PAGE_SIZE: Final = 500

#: With one of these a spreadsheet reads a cell as a formula.
_FORMULA_MARKS: Final = ("=", "+", "-", "@", "\t", "\r")
#: An export has no pages: these parameters of the list are ignored.
_PAGING: Final = frozenset({"limit", "cursor"})


@dataclass(frozen=True, slots=True)
class Export:
    """A list as a table: the field of the response that holds it, the columns, and the name of the file."""

    items: str
    columns: Sequence[str]
    file_name: str


HISTORY: Final = Export(
    "checks",
    (
        *("fastcheck", "type", "status", "amount", "currency", "note"),
        *("createdAt", "acceptedAt", "usedAt", "expiredAt", "cancelledAt"),
    ),
    "fastcheck-history.csv",
)
STATEMENT: Final = Export(
    "entries",
    ("entryID", "createdAt", "kind", "amount", "balanceAfter", "currency", "fastcheck", "transactionID"),
    "fastcheck-statement.csv",
)


def wants_csv(accept: str) -> bool:
    """Return whether the ``Accept`` header prefers CSV to JSON; only an explicit mention selects it."""
    if CSV not in accept:
        return False
    explicit = {value: quality for value, quality in parse_accept_header(accept, MIMEAccept) if "*" not in value}
    return explicit.get(CSV, 0) > explicit.get("application/json", 0)


def first_page(query: str) -> str:
    """Return the query of the first page of an export: that of the client, with the largest pages."""
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in _PAGING]
    return urlencode([*kept, ("limit", PAGE_SIZE)])


def stream(
    context: Context, export: Export, first: HttpResponse, query: str, fetch: Callable[[str], HttpResponse]
) -> FlaskResponse:
    """Return the streamed table that begins with the ``first`` page; ``fetch`` gets a page by its query.

    Raises ServiceUnavailable if too many exports are running.
    """
    if not context.export_slots.acquire(blocking=False):
        raise ServiceUnavailable
    response = FlaskResponse(_lines(export, first, query, fetch), content_type=f"{CSV}; charset=utf-8")
    response.call_on_close(context.export_slots.release)
    response.headers["Content-Disposition"] = f'attachment; filename="{export.file_name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _lines(export: Export, page: HttpResponse, query: str, fetch: Callable[[str], HttpResponse]) -> Iterator[bytes]:
    yield _row(export.columns)
    while True:
        body: Mapping[str, Any] = json.loads(page.body)
        yield b"".join(_row([cell(item.get(name, "")) for name in export.columns]) for item in body[export.items])
        if "nextCursor" not in body:
            return
        page = fetch(f"{query}&{urlencode({'cursor': body['nextCursor']})}")
        if page.status != 200:
            raise ServiceUnavailable


def _row(cells: Sequence[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def cell(value: object) -> object:
    """Return a value as a cell. A text that a spreadsheet would run as a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_MARKS) else value
