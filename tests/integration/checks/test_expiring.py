"""Expiry by the schedule, however often and concurrently it runs, and the purge of old records."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import text

from common.core.money import Money
from services.checks.lifecycle import service, tasks
from services.checks.retention import tasks as retention
from tests.integration.checks.checks_system import ChecksSystem


def _insert_due_checks(system: ChecksSystem, creator: UUID, many: int) -> None:
    """Insert active checks whose expiration has passed."""
    system.rows(
        """
        INSERT INTO checks (check_id, number, creator_id, amount_minor, currency, code_ciphertext, status, created_at,
                            expires_at, closes_at)
        SELECT gen_random_uuid(), lpad(n::text, 12, '0'), :creator, 100, 'RUB', CAST('' AS bytea), 'active',
               m - interval '2 days', m - n * interval '1 second', m - n * interval '1 second'
          FROM generate_series(1, :many) AS n, (SELECT CAST(:now AS timestamptz) AS m) AS clock
        """,
        creator=creator,
        many=many,
        now=system.clock.now(),
    )


def test_run_expires_all_due_checks_and_no_others(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    system.create(creator, expiresIn=60)
    later = system.create(creator, expiresIn=120)
    system.clock.move(seconds=60)
    assert tasks.expire_due_checks(system.context) == 1
    assert tasks.expire_due_checks(system.context) == 0
    assert [check["fastcheck"] for check in system.active(creator)] == [later["fastcheck"]]
    event = system.rows("SELECT type, payload, sends, available_at <= now() AS due FROM outbox")[0]
    assert (event["type"], event["due"]) == ("check.expired.v1", True)
    assert Money(event["payload"]["amount_minor"], event["payload"]["currency"]) == Money(1_000, "RUB")
    assert event["payload"]["creator_id"] == str(creator)


def test_run_continues_until_no_check_is_due(system: ChecksSystem) -> None:
    creator = system.new_user()
    _insert_due_checks(system, creator, 1_234)
    assert tasks.expire_due_checks(system.context) == 1_234
    assert system.rows("SELECT status, count(*) AS n FROM checks GROUP BY status") == [
        {"status": "expired", "n": 1_234}
    ]
    assert system.open_events() == 1_234


def test_concurrent_runs_expire_each_check_once(system: ChecksSystem) -> None:
    creator = system.new_user()
    _insert_due_checks(system, creator, 2_000)
    with ThreadPoolExecutor(8) as pool:
        shares = list(pool.map(lambda _: service.expire_due_checks(system.context, 100), range(40)))
    assert sum(shares) == 2_000
    events = Counter(row["check"] for row in system.rows("SELECT payload ->> 'check_id' AS check FROM outbox"))
    assert len(events) == 2_000
    assert set(events.values()) == {1}


def test_run_skips_locked_checks(system: ChecksSystem) -> None:
    creator = system.new_user()
    _insert_due_checks(system, creator, 3)
    with system.context.db.transaction() as tx:
        tx.execute(text("SELECT 1 FROM checks WHERE number = '000000000002' FOR UPDATE"))
        assert tasks.expire_due_checks(system.context) == 2
    assert tasks.expire_due_checks(system.context) == 1


def test_killed_run_changes_nothing(system: ChecksSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    creator = system.new_user()
    _insert_due_checks(system, creator, 10)

    class Killed(BaseException):
        """Stands for SIGKILL: no handler of exceptions catches it."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("common.bus.outbox.add_all", die)
        with pytest.raises(Killed):
            tasks.expire_due_checks(system.context)
    assert system.rows("SELECT DISTINCT status FROM checks") == [{"status": "active"}]
    assert tasks.expire_due_checks(system.context) == 10
    assert system.open_events() == 10


def test_old_records_are_purged(system: ChecksSystem) -> None:
    creator = system.new_user(5_000)
    check = system.create(creator)
    assert system.accept(creator, {**check, "fastcheck": "0000-0000-0000"}, key="old").status_code == 404
    assert system.accept(creator, check, key="new").status_code == 200
    system.context.acknowledger.flush()
    system.rows("UPDATE idempotency_keys SET created_at = created_at - interval '49 hours' WHERE key = 'old'")
    retention.purge_old_records(system.context)
    assert system.rows("SELECT key FROM idempotency_keys") == [{"key": "new"}]
    assert len(system.rows("SELECT * FROM failed_attempts")) == 1
    system.clock.move(hours=2, seconds=1)
    system.rows("UPDATE outbox SET closed_at = now() - interval '8 days'")
    retention.purge_old_records(system.context)
    assert system.rows("SELECT * FROM failed_attempts") == []
    assert system.rows("SELECT * FROM outbox") == []
    assert len(system.rows("SELECT * FROM checks")) == 1
