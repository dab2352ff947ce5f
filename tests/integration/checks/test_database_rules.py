"""Where the code forgets, the database says no."""

from sqlalchemy.exc import IntegrityError

from tests.integration.checks.world import Json, World

REFUSED = [
    # One end, and somebody at it.
    "UPDATE checks SET status = 'used' WHERE status = 'active'",
    "UPDATE checks SET status = 'expired', acceptor_id = creator_id WHERE status = 'active'",
    "UPDATE checks SET acceptor_id = NULL WHERE status = 'used'",
    "UPDATE checks SET acceptor_id = gen_random_uuid() WHERE status = 'used'",
    "UPDATE checks SET closes_at = closes_at + interval '1 day' WHERE status = 'used'",
    "UPDATE checks SET closes_at = now() WHERE status = 'active'",
    # Only the steps of the model.
    "UPDATE checks SET status = 'active', acceptor_id = NULL, closes_at = expires_at WHERE status = 'used'",
    "UPDATE checks SET status = 'active', closes_at = expires_at WHERE status = 'cancelled'",
    "UPDATE checks SET status = 'expired', closes_at = expires_at WHERE status = 'cancelled'",
    "UPDATE checks SET status = 'pending', next_try_at = now() WHERE status = 'active'",
    "UPDATE checks SET status = 'rejected' WHERE status = 'active'",
    "UPDATE checks SET status = 'gone' WHERE status = 'active'",
    # In time.
    "UPDATE checks SET status = 'used', acceptor_id = creator_id, closes_at = expires_at WHERE status = 'active'",
    "UPDATE checks SET status = 'cancelled', closes_at = expires_at WHERE status = 'active'",
    # What was agreed stays.
    "UPDATE checks SET amount_minor = amount_minor + 1",
    "UPDATE checks SET currency = 'USD'",
    "UPDATE checks SET number = '000000000000' WHERE status = 'active'",
    "UPDATE checks SET creator_id = gen_random_uuid()",
    "UPDATE checks SET expires_at = expires_at + '1 d', closes_at = closes_at + '1 d' WHERE status = 'active'",
    "UPDATE checks SET next_try_at = now() WHERE status = 'active'",
    "UPDATE checks SET failed_attempts = -1",
    "UPDATE checks SET frozen_until = now()",
    "DELETE FROM checks",
    "TRUNCATE checks",
]


def test_the_database_refuses_what_no_check_can_do(world: World) -> None:
    anna = world.person(10_000)
    checks = [world.create(anna) for _ in range(3)]
    assert world.accept(anna, checks[0]).status_code == 200
    assert world.cancel(anna, checks[1]).status_code == 200
    before = _all(world)
    for statement in REFUSED:
        assert _refuses(world, statement), statement
    assert _all(world) == before


NO_CHECKS = [
    ("amount_minor", "0"),
    ("currency", "'R'"),
    ("number", "'1234-5678-0001'"),
    ("note", "''"),
    ("note", "repeat('x', 141)"),
    ("expires_at", "created_at"),
    ("status", "'used'"),
    ("closes_at", "now()"),
]

COLUMNS = (
    "number", "creator_id", "amount_minor", "currency", "note", "code_ciphertext", "status", "created_at", "expires_at",
    "closes_at",
)  # fmt: skip


def test_the_database_refuses_what_is_no_check(world: World) -> None:
    world.create(world.person(1_000))
    for column, value in NO_CHECKS:
        changed = {"number": "'000000000000'", column: value}
        values = ", ".join(changed.get(name, name) for name in COLUMNS)
        copy = f"INSERT INTO checks (check_id, {', '.join(COLUMNS)}) SELECT gen_random_uuid(), {values} FROM checks"  # noqa: S608
        assert _refuses(world, copy), (column, value)


def _refuses(world: World, statement: str) -> bool:
    try:
        world.rows(statement)
    except IntegrityError:
        return True
    return False


def _all(world: World) -> list[Json]:
    return world.rows("SELECT * FROM checks ORDER BY check_id")
