"""The active list and the history: contents, order, pages and cost."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, event, text

from common.http.server.paging import encode_cursor
from services.checks.lifecycle import tasks
from services.checks.lists import repository as list_repository
from services.checks.lists import service as lists
from services.checks.models import Check, CheckStatus
from tests.integration.checks.checks_system import ChecksSystem, Json


def _numbers(checks: list[Json]) -> list[str]:
    return [check["fastcheck"] for check in checks]


def _all_pages(system: ChecksSystem, user_id: UUID, path: str, limit: int, **query: Any) -> list[Json]:
    found: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = system.call(user_id, "GET", path, query={"limit": limit, **query, **cursor}).get_json()
        assert len(page["checks"]) <= limit
        found += page["checks"]
        if "nextCursor" not in page:
            return found
        cursor = {"cursor": page["nextCursor"]}


def test_active_list_is_newest_first_and_omits_expired_checks(system: ChecksSystem) -> None:
    creator = system.new_user(10_000)
    checks = []
    for days in (1, 3, 2):
        checks.append(system.create(creator, expiresIn=days * 86_400))
        system.clock.move(seconds=5)
    assert system.active(creator) == list(reversed(checks))
    system.clock.move(days=2)
    assert _numbers(system.active(creator)) == [checks[1]["fastcheck"]]


def test_pages_of_the_active_list_have_no_gap_and_no_overlap(system: ChecksSystem) -> None:
    creator = system.new_user(10_000)
    # All have the same creation time: the order must be total all the same.
    checks = [system.create(creator) for _ in range(7)]
    whole = system.active(creator)
    assert sorted(_numbers(whole)) == sorted(_numbers(checks))
    for limit in (1, 2, 3, 100):
        assert _all_pages(system, creator, "/fastcheck/active", limit) == whole, limit


@pytest.fixture
def populated(system: ChecksSystem) -> tuple[ChecksSystem, UUID, UUID, dict[str, Json]]:
    """Create six checks of one user and one of another, and end all but one, each in a different minute."""
    creator, recipient = system.new_user(20_000), system.new_user(20_000)
    checks = {
        "used": system.create(creator, 1),
        "cancelled": system.create(creator, 2),
        "own": system.create(creator, 3),
        "expired": system.create(creator, 4, expiresIn=600),
        "unswept": system.create(creator, 5, expiresIn=1_200),
        "active": system.create(creator, 6),
        "of recipient": system.create(recipient, 7),
    }
    system.clock.move(minutes=1)
    assert system.accept(recipient, checks["used"]).status_code == 200
    system.clock.move(minutes=1)
    assert system.cancel(creator, checks["cancelled"]).status_code == 200
    system.clock.move(minutes=1)
    assert system.accept(creator, checks["own"]).status_code == 200
    system.clock.move(minutes=1)
    assert system.accept(creator, checks["of recipient"]).status_code == 200
    system.clock.move(minutes=10)
    assert tasks.expire_due_checks(system.context) == 1
    system.clock.move(minutes=10)
    return system, creator, recipient, checks


Populated = tuple[ChecksSystem, UUID, UUID, dict[str, Json]]


def test_history_shows_how_each_check_ended(populated: Populated) -> None:
    system, creator, _, checks = populated
    shown = system.history(creator)
    assert [(check["amount"], check["type"], check["status"]) for check in shown] == [
        (5, "created", "expired"),
        (4, "created", "expired"),
        (7, "accepted", "used"),
        (3, "created", "used"),
        (3, "accepted", "used"),
        (2, "created", "cancelled"),
        (1, "created", "used"),
    ]
    by_amount = {(check["amount"], check["type"]): set(check) for check in shown}
    common = {"fastcheck", "amount", "currency", "type", "status"}
    assert by_amount[1, "created"] == common | {"createdAt", "usedAt"}
    assert by_amount[2, "created"] == common | {"createdAt", "cancelledAt"}
    assert by_amount[4, "created"] == by_amount[5, "created"] == common | {"createdAt", "expiredAt"}
    assert by_amount[7, "accepted"] == common | {"acceptedAt"}
    assert shown[0]["expiredAt"] == checks["unswept"]["expiration"]
    assert shown[1]["expiredAt"] == checks["expired"]["expiration"]


def test_history_of_the_recipient_shows_accepted_checks(populated: Populated) -> None:
    system, _, recipient, _ = populated
    assert [(check["amount"], check["type"]) for check in system.history(recipient)] == [
        (7, "created"),
        (1, "accepted"),
    ]


FILTERED: list[tuple[dict[str, str], list[int]]] = [
    ({"type": "created"}, [5, 4, 3, 2, 1]),
    ({"type": "accepted"}, [7, 3]),
    ({"status": "used"}, [7, 3, 3, 1]),
    ({"status": "expired"}, [5, 4]),
    ({"status": "cancelled"}, [2]),
    ({"type": "created", "status": "used"}, [3, 1]),
    ({"type": "accepted", "status": "used"}, [7, 3]),
    ({"type": "accepted", "status": "expired"}, []),
]


def test_history_can_be_filtered_by_type_and_status(populated: Populated) -> None:
    system, creator, *_ = populated
    for query, amounts in FILTERED:
        assert [check["amount"] for check in system.history(creator, **query)] == amounts, query
        paged = _all_pages(system, creator, "/fastcheck/history", 1, **query)
        assert [check["amount"] for check in paged] == amounts, query


def test_pages_of_the_history_have_no_gap_and_no_overlap(populated: Populated) -> None:
    system, creator, *_ = populated
    whole = system.history(creator)
    for limit in (1, 2, 3, 4):
        assert _all_pages(system, creator, "/fastcheck/history", limit) == whole, limit


def test_pages_have_no_gap_where_many_checks_end_at_the_same_time(system: ChecksSystem) -> None:
    creator = system.new_user(10_000)
    for _ in range(9):
        system.accept(creator, system.create(creator))
    whole = system.history(creator)
    assert len(whole) == 18
    assert [check["type"] for check in whole] == ["created", "accepted"] * 9
    for limit in (1, 5, 17):
        assert _all_pages(system, creator, "/fastcheck/history", limit) == whole


def test_invalid_page_parameters_are_rejected(system: ChecksSystem) -> None:
    for path, query in (
        ("/fastcheck/active", {"limit": "0"}),
        ("/fastcheck/active", {"limit": "501"}),
        ("/fastcheck/active", {"cursor": "nonsense"}),
        ("/fastcheck/active", {"cursor": encode_cursor(1, "no id")}),
        ("/fastcheck/active", {"cursor": encode_cursor(10**40, str(uuid4()))}),
        ("/fastcheck/active", {"colour": "red"}),
        ("/fastcheck/history", {"cursor": encode_cursor(1, str(uuid4()))}),
        ("/fastcheck/history", {"cursor": encode_cursor(-(10**40), str(uuid4()), 1)}),
        ("/fastcheck/history", {"type": "given"}),
        ("/fastcheck/history", {"status": "active"}),
    ):
        response = system.call(system.new_user(), "GET", path, query=query)
        assert response.status_code == 400, query
        assert response.get_json()["errors"], query


MANY = 20_000

_MANY_CHECKS = """
    INSERT INTO checks (check_id, number, creator_id, acceptor_id, amount_minor, currency, code_ciphertext, status,
                        created_at, expires_at, closes_at)
    SELECT gen_random_uuid(), lpad(n::text, 12, '0'), CASE WHEN n % 3 = 0 THEN gen_random_uuid() ELSE :user_id END,
           CASE n % 4 WHEN 1 THEN :user_id END, 100, 'RUB', CAST('' AS bytea),
           (ARRAY['active', 'used', 'expired', 'cancelled'])[1 + n % 4],
           CAST(:now AS timestamptz) - make_interval(secs => n),
           CAST(:now AS timestamptz) + make_interval(secs => CASE n % 4 WHEN 2 THEN 1 - n / 2.0 ELSE 1 + n / 2.0 END),
           CAST(:now AS timestamptz) + make_interval(secs => CASE n % 4 WHEN 0 THEN 1 + n / 2.0 ELSE 1 - n / 2.0 END)
      FROM generate_series(2, :many) AS n
"""


@pytest.fixture
def many_checks(system: ChecksSystem) -> tuple[ChecksSystem, UUID]:
    """Insert thousands of checks of every kind for one user, among those of others."""
    user_id = uuid4()
    system.rows(_MANY_CHECKS, user_id=user_id, now=system.clock.now(), many=MANY)
    system.rows("ANALYZE checks")
    return system, user_id


def test_page_of_the_active_list_reads_one_page_of_rows(many_checks: tuple[ChecksSystem, UUID]) -> None:
    system, user_id = many_checks
    for instant in (lists._LAST_INSTANT, system.clock.now() - timedelta(seconds=5_000)):

        def page(tx: Connection, before: tuple[datetime, UUID]) -> list[Check]:
            return list_repository.active_checks(tx, user_id, now=system.clock.now(), before=before, limit=51)

        _assert_reads_no_more_than(51, system, partial(page, before=(instant, uuid4())))


def test_history_of_a_period_includes_its_start_and_not_its_end(populated: Populated) -> None:
    system, creator, _, _ = populated
    everything = system.history(creator)
    ends = [
        next(check[name] for name in check if name.endswith("edAt") and name != "createdAt") for check in everything
    ]
    for since, until in ((ends[4], ends[1]), (ends[-1], ends[0]), (ends[2], ends[2])):
        expected = [check for check, end in zip(everything, ends, strict=True) if since <= end < until]
        period = {"from": since, "to": until}
        assert system.history(creator, **period) == expected, period
        assert _all_pages(system, creator, "/fastcheck/history", 1, **period) == expected
    assert system.call(creator, "GET", "/fastcheck/history", query={"from": "1700000000"}).status_code == 400


#: Statuses, whether accepted checks are included, and how many index ranges hold the result.
RANGES: list[tuple[list[CheckStatus], bool, int]] = [
    ([CheckStatus.USED, CheckStatus.EXPIRED, CheckStatus.CANCELLED, CheckStatus.ACTIVE], True, 5),
    ([], True, 1),
    ([CheckStatus.USED], True, 2),
    ([CheckStatus.CANCELLED], False, 1),
    ([CheckStatus.EXPIRED, CheckStatus.ACTIVE], False, 2),
]


def test_page_of_the_history_reads_one_page_of_each_index_range(many_checks: tuple[ChecksSystem, UUID]) -> None:
    system, user_id = many_checks
    for instant in (lists._LAST_INSTANT, system.clock.now() - timedelta(seconds=3_000)):
        for statuses, with_accepted, ranges in RANGES:
            page = partial(
                list_repository.history,
                user_id=user_id,
                statuses=statuses,
                with_accepted=with_accepted,
                now=system.clock.now(),
                since=lists._EPOCH,
                before=(instant, uuid4(), 2),
                limit=51,
            )
            _assert_reads_no_more_than(ranges * 51, system, page)


def _assert_reads_no_more_than(rows: int, system: ChecksSystem, page: Callable[[Connection], Sequence[object]]) -> None:
    """Assert the number of rows that PostgreSQL read, from its EXPLAIN ANALYZE."""
    nodes = _nodes(_plan_of(system, page))
    scans = [node for node in nodes if node.get("Relation Name") == "checks" and node["Actual Loops"]]
    assert scans
    assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}, nodes
    # A range may hold one more row at its edge, which the comparison with the cursor filters out.
    assert sum(_rows_read(node) for node in scans) <= rows + 5, nodes
    assert all(_rows_read(node["Plans"][0]) <= rows for node in nodes if "Sort" in node["Node Type"]), nodes


def _rows_read(node: Json) -> float:
    return float((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])


def _plan_of(system: ChecksSystem, page: Callable[[Connection], Sequence[object]]) -> Json:
    seen: list[tuple[str, Any]] = []
    with system.context.db.autocommit() as tx:
        watch = partial(_see, seen)
        event.listen(system.context.db._engine, "before_cursor_execute", watch)
        assert len(page(tx)) == 51
        event.remove(system.context.db._engine, "before_cursor_execute", watch)
        statement, parameters = seen[0]
        explain = text("EXPLAIN (ANALYZE, FORMAT JSON) " + re.sub(r"%\((\w+)\)s", r":\1", statement))
        plans = tx.execute(explain, parameters).scalar_one()
    return dict(plans[0]["Plan"])


def _see(seen: list[tuple[str, Any]], _connection: object, _cursor: object, sql: str, values: Any, *_: object) -> None:
    seen.append((sql, values))


def _nodes(plan: Json) -> list[Json]:
    return [plan, *(node for child in plan.get("Plans", []) for node in _nodes(child))]
