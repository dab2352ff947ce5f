"""Triggers and constraints of the checks table reject changes that the code must not make."""

from sqlalchemy.exc import IntegrityError

from tests.integration.checks.checks_system import ChecksSystem, Json

FORBIDDEN_CHANGES = [
    # A used check has an acceptor; no other check has one.
    "UPDATE checks SET status = 'used' WHERE status = 'active'",
    "UPDATE checks SET status = 'expired', acceptor_id = creator_id WHERE status = 'active'",
    "UPDATE checks SET acceptor_id = NULL WHERE status = 'used'",
    "UPDATE checks SET acceptor_id = gen_random_uuid() WHERE status = 'used'",
    "UPDATE checks SET closes_at = closes_at + interval '1 day' WHERE status = 'used'",
    "UPDATE checks SET closes_at = now() WHERE status = 'active'",
    # Only transitions of the model.
    "UPDATE checks SET status = 'active', acceptor_id = NULL, closes_at = expires_at WHERE status = 'used'",
    "UPDATE checks SET status = 'active', closes_at = expires_at WHERE status = 'cancelled'",
    "UPDATE checks SET status = 'expired', closes_at = expires_at WHERE status = 'cancelled'",
    "UPDATE checks SET status = 'pending', next_try_at = now() WHERE status = 'active'",
    "UPDATE checks SET status = 'rejected' WHERE status = 'active'",
    "UPDATE checks SET status = 'gone' WHERE status = 'active'",
    # Accept and cancel happen before the expiration.
    "UPDATE checks SET status = 'used', acceptor_id = creator_id, closes_at = expires_at WHERE status = 'active'",
    "UPDATE checks SET status = 'cancelled', closes_at = expires_at WHERE status = 'active'",
    # The terms of a check are immutable.
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


def test_database_rejects_changes_that_no_check_can_make(system: ChecksSystem) -> None:
    creator = system.new_user(10_000)
    checks = [system.create(creator) for _ in range(3)]
    assert system.accept(creator, checks[0]).status_code == 200
    assert system.cancel(creator, checks[1]).status_code == 200
    before = _all_checks(system)
    for statement in FORBIDDEN_CHANGES:
        assert _is_rejected(system, statement), statement
    assert _all_checks(system) == before


INVALID_VALUES = [
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


def test_database_rejects_invalid_values(system: ChecksSystem) -> None:
    system.create(system.new_user(1_000))
    for column, value in INVALID_VALUES:
        changed = {"number": "'000000000000'", column: value}
        values = ", ".join(changed.get(name, name) for name in COLUMNS)
        copy = f"INSERT INTO checks (check_id, {', '.join(COLUMNS)}) SELECT gen_random_uuid(), {values} FROM checks"  # noqa: S608
        assert _is_rejected(system, copy), (column, value)


def _is_rejected(system: ChecksSystem, statement: str) -> bool:
    try:
        system.rows(statement)
    except IntegrityError:
        return True
    return False


def _all_checks(system: ChecksSystem) -> list[Json]:
    return system.rows("SELECT * FROM checks ORDER BY check_id")
