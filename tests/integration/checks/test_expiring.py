"""Checks expire by the schedule, whoever runs it and however often; what is old is forgotten."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import text

from common.core.money import Money
from services.checks.lifecycle import service, tasks
from services.checks.retention import tasks as retention
from tests.integration.checks.world import World


def _due(world: World, creator: UUID, many: int) -> None:
    """Active checks whose time has passed, with their money held."""
    world.rows(
        """
        INSERT INTO checks (check_id, number, creator_id, amount_minor, currency, code_ciphertext, status, created_at,
                            expires_at, closes_at)
        SELECT gen_random_uuid(), lpad(n::text, 12, '0'), :creator, 100, 'RUB', CAST('' AS bytea), 'active',
               m - interval '2 days', m - n * interval '1 second', m - n * interval '1 second'
          FROM generate_series(1, :many) AS n, (SELECT CAST(:now AS timestamptz) AS m) AS moment
        """,
        creator=creator,
        many=many,
        now=world.clock.now(),
    )


def test_a_run_expires_everything_that_is_due_and_nothing_else(world: World) -> None:
    anna = world.person(5_000)
    world.create(anna, expiresIn=60)
    later = world.create(anna, expiresIn=120)
    world.clock.move(seconds=60)
    assert tasks.expire_due_checks(world.context) == 1
    assert tasks.expire_due_checks(world.context) == 0
    assert [check["fastcheck"] for check in world.active(anna)] == [later["fastcheck"]]
    event = world.rows("SELECT type, payload, sends, available_at <= now() AS due FROM outbox")[0]
    assert (event["type"], event["due"]) == ("check.expired.v1", True)
    assert Money(event["payload"]["amount_minor"], event["payload"]["currency"]) == Money(1_000, "RUB")
    assert event["payload"]["creator_id"] == str(anna)


def test_a_run_takes_as_many_batches_as_it_needs(world: World) -> None:
    anna = world.person()
    _due(world, anna, 1_234)
    assert tasks.expire_due_checks(world.context) == 1_234
    assert world.rows("SELECT status, count(*) AS n FROM checks GROUP BY status") == [{"status": "expired", "n": 1_234}]
    assert world.open_events() == 1_234


def test_runs_at_once_share_the_work_and_expire_each_check_once(world: World) -> None:
    anna = world.person()
    _due(world, anna, 2_000)
    with ThreadPoolExecutor(8) as pool:
        shares = list(pool.map(lambda _: service.expire_due_checks(world.context, 100), range(40)))
    assert sum(shares) == 2_000
    events = Counter(row["check"] for row in world.rows("SELECT payload ->> 'check_id' AS check FROM outbox"))
    assert len(events) == 2_000
    assert set(events.values()) == {1}


def test_a_run_leaves_alone_what_somebody_is_about_to_accept(world: World) -> None:
    anna = world.person()
    _due(world, anna, 3)
    with world.context.db.transaction() as tx:
        tx.execute(text("SELECT 1 FROM checks WHERE number = '000000000002' FOR UPDATE"))
        assert tasks.expire_due_checks(world.context) == 2
    assert tasks.expire_due_checks(world.context) == 1


def test_a_run_that_breaks_has_changed_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = world.person()
    _due(world, anna, 10)

    class Killed(BaseException):
        """As SIGKILL would: nothing that catches exceptions sees it."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("common.bus.outbox.add_all", die)
        with pytest.raises(Killed):
            tasks.expire_due_checks(world.context)
    assert world.rows("SELECT DISTINCT status FROM checks") == [{"status": "active"}]
    assert tasks.expire_due_checks(world.context) == 10
    assert world.open_events() == 10


def test_what_no_answer_depends_on_is_forgotten(world: World) -> None:
    anna = world.person(5_000)
    check = world.create(anna)
    assert world.accept(anna, {**check, "fastcheck": "0000-0000-0000"}, key="old").status_code == 404
    assert world.accept(anna, check, key="new").status_code == 200
    world.context.acknowledger.flush()
    world.rows("UPDATE idempotency_keys SET created_at = created_at - interval '49 hours' WHERE key = 'old'")
    retention.purge_old_records(world.context)
    assert world.rows("SELECT key FROM idempotency_keys") == [{"key": "new"}]
    assert len(world.rows("SELECT * FROM failed_attempts")) == 1
    world.clock.move(hours=2, seconds=1)
    world.rows("UPDATE outbox SET closed_at = now() - interval '8 days'")
    retention.purge_old_records(world.context)
    assert world.rows("SELECT * FROM failed_attempts") == []
    assert world.rows("SELECT * FROM outbox") == []
    assert len(world.rows("SELECT * FROM checks")) == 1
