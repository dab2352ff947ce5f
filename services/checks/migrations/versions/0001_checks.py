"""Checks, failed attempts, idempotency keys, and the outbox through which events leave."""

from alembic import op

from common.bus.schema import OUTBOX_V1
from common.db.idempotency import SCHEMA_V1 as IDEMPOTENCY_V1

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE checks (
    check_id        uuid        PRIMARY KEY,
    number          text        COLLATE "C" NOT NULL UNIQUE CHECK (number ~ '^[0-9]{12}$'),
    creator_id      uuid        NOT NULL,
    acceptor_id     uuid,
    amount_minor    bigint      NOT NULL CHECK (amount_minor > 0),
    currency        text        NOT NULL CHECK (length(currency) = 3),
    note            text        CHECK (char_length(note) BETWEEN 1 AND 140),
    code_ciphertext bytea       NOT NULL,
    status          text        NOT NULL CHECK (status IN ('pending', 'active', 'used', 'expired', 'cancelled',
                                                           'rejected')),
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL CHECK (expires_at > created_at),
    closes_at       timestamptz NOT NULL,
    failed_attempts integer     NOT NULL DEFAULT 0 CHECK (failed_attempts >= 0),
    freezes         integer     NOT NULL DEFAULT 0 CHECK (freezes >= 0),
    frozen_until    timestamptz,
    tries           integer     NOT NULL DEFAULT 0 CHECK (tries >= 0),
    next_try_at     timestamptz,
    CONSTRAINT used_by_somebody CHECK ((status = 'used') = (acceptor_id IS NOT NULL)),
    CONSTRAINT pending_is_asked_about CHECK ((status = 'pending') = (next_try_at IS NOT NULL)),
    CONSTRAINT open_until_expiration CHECK (status NOT IN ('pending', 'active', 'expired') OR closes_at = expires_at),
    CONSTRAINT ended_in_time CHECK (status NOT IN ('used', 'cancelled') OR closes_at < expires_at),
    CONSTRAINT frozen_has_an_end CHECK ((freezes > 0) = (frozen_until IS NOT NULL))
);
COMMENT ON COLUMN checks.closes_at IS
    'When the check ended or, while it is open, will end: what is below now() is history, swept or not.';

-- The history of a creator, one range per status; and, of those still marked active, the ones that are over.
CREATE INDEX checks_of_creator ON checks (creator_id, status, closes_at, check_id)
    WHERE status NOT IN ('pending', 'rejected');
CREATE INDEX checks_of_acceptor ON checks (acceptor_id, closes_at, check_id) WHERE acceptor_id IS NOT NULL;
CREATE INDEX checks_active ON checks (creator_id, created_at, check_id) WHERE status = 'active';
CREATE INDEX checks_due ON checks (closes_at) WHERE status = 'active';
CREATE INDEX checks_pending ON checks (next_try_at) WHERE status = 'pending';

CREATE TABLE failed_attempts (
    attempt_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id      uuid        NOT NULL,
    attempted_at timestamptz NOT NULL
);
COMMENT ON TABLE failed_attempts IS 'Wrong codes and unknown numbers, per user: he has so many in an hour.';
CREATE INDEX failed_attempts_of_user ON failed_attempts (user_id, attempted_at);
CREATE INDEX failed_attempts_age ON failed_attempts (attempted_at);
"""

RULES = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a check ends once, and its particulars stay: % is refused', TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER steps_are_those_of_the_model BEFORE UPDATE ON checks FOR EACH ROW
    WHEN (NEW.status <> OLD.status
          AND (OLD.status, NEW.status) NOT IN (('pending', 'active'), ('pending', 'rejected'), ('active', 'used'),
                                               ('active', 'expired'), ('active', 'cancelled')))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER particulars_stay BEFORE UPDATE ON checks FOR EACH ROW
    WHEN ((NEW.check_id, NEW.number, NEW.creator_id, NEW.amount_minor, NEW.currency, NEW.created_at, NEW.expires_at)
          IS DISTINCT FROM
          (OLD.check_id, OLD.number, OLD.creator_id, OLD.amount_minor, OLD.currency, OLD.created_at, OLD.expires_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER endings_stay BEFORE UPDATE ON checks FOR EACH ROW
    WHEN (OLD.status NOT IN ('pending', 'active')
          AND (NEW.acceptor_id, NEW.closes_at) IS DISTINCT FROM (OLD.acceptor_id, OLD.closes_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checks_stay BEFORE DELETE OR TRUNCATE ON checks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(RULES)
    op.execute(IDEMPOTENCY_V1)
    op.execute(OUTBOX_V1)


def downgrade() -> None:
    raise RuntimeError("checks are not taken back: restore a backup instead")
