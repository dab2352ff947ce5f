"""The tables of the bus, as SQL for the migrations of the services that have them.

A constant is never edited once it has been released; a change is a new constant and a new migration.
"""

from typing import Final

from common.db.rights import TableRights

#: What the statements of the outbox, the inbox and the operators do with their tables.
OUTBOX_RIGHTS: Final = TableRights(insert=True, update=("sends", "available_at", "closed_at"), delete=True)
INBOX_RIGHTS: Final = TableRights(
    insert=True, update=("attempts", "tried_at", "processed_at", "parked_at", "last_error"), delete=True
)
DEAD_LETTERS_RIGHTS: Final = TableRights(
    insert=True, update=("attempts", "error", "parked_at", "resolved_at", "resolution", "reason")
)
FOLLOWED_USERS_RIGHTS: Final = TableRights(insert=True)
OPERATOR_ACTIONS_RIGHTS: Final = TableRights(insert=True)

OUTBOX_V1: Final = """
CREATE TABLE outbox (
    event_id     uuid        NOT NULL,
    subscriber   text        NOT NULL,
    type         text        NOT NULL,
    payload      jsonb       NOT NULL,
    occurred_at  timestamptz NOT NULL,
    request_id   text,
    traceparent  text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    available_at timestamptz NOT NULL DEFAULT now(),
    sends        integer     NOT NULL DEFAULT 0 CHECK (sends >= 0),
    closed_at    timestamptz,
    PRIMARY KEY (event_id, subscriber)
);
COMMENT ON TABLE outbox IS
    'Events that are facts here and must reach their subscribers; open until the subscriber has acknowledged.';
CREATE INDEX outbox_open ON outbox (available_at) WHERE closed_at IS NULL;
CREATE INDEX outbox_closed ON outbox (closed_at) WHERE closed_at IS NOT NULL;
"""

FOLLOWED_USERS_V1: Final = """
CREATE TABLE followed_users (
    user_id    uuid        NOT NULL,
    subscriber text        NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, subscriber)
);
COMMENT ON TABLE followed_users IS
    'Users whose events a subscriber wants that does not get every event; read by the statement that writes events.';
"""

INBOX_V1: Final = """
CREATE TABLE inbox (
    event_id     uuid        PRIMARY KEY,
    type         text        NOT NULL,
    source       text        NOT NULL,
    attempts     integer     NOT NULL DEFAULT 1 CHECK (attempts > 0),
    received_at  timestamptz NOT NULL DEFAULT now(),
    processed_at timestamptz,
    parked_at    timestamptz,
    last_error   text
);
COMMENT ON TABLE inbox IS 'Every event that was ever received; processed_at is set in the transaction of its effect.';
CREATE INDEX inbox_unfinished ON inbox (received_at) WHERE processed_at IS NULL;
CREATE INDEX inbox_processed ON inbox (processed_at) WHERE processed_at IS NOT NULL;

CREATE TABLE dead_letters (
    event_id    uuid        PRIMARY KEY REFERENCES inbox,
    source      text        NOT NULL,
    envelope    jsonb       NOT NULL,
    attempts    integer     NOT NULL,
    error       text        NOT NULL,
    parked_at   timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    resolution  text        CHECK (resolution IN ('replayed', 'discarded')),
    reason      text
);
COMMENT ON TABLE dead_letters IS 'Events that failed too often; an operator replays or discards them.';
CREATE INDEX dead_letters_open ON dead_letters (parked_at) WHERE resolved_at IS NULL;
"""

#: An attempt that says nothing of the event is given back, the first one too.
INBOX_V2: Final = """
ALTER TABLE inbox DROP CONSTRAINT inbox_attempts_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_attempts_check CHECK (attempts >= 0);
ALTER TABLE inbox ADD COLUMN tried_at timestamptz;
COMMENT ON COLUMN inbox.tried_at IS 'When the last attempt began; null: with its batch, when it was received.';
"""

OPERATOR_ACTIONS_V1: Final = """
CREATE TABLE operator_actions (
    action_no     bigint      PRIMARY KEY,
    acted_at      timestamptz NOT NULL,
    operator      text        NOT NULL CHECK (operator <> ''),
    action        text        NOT NULL CHECK (action <> ''),
    subject       text        NOT NULL CHECK (subject <> ''),
    reason        text        NOT NULL CHECK (btrim(reason) <> ''),
    details       jsonb       NOT NULL,
    previous_hash bytea       NOT NULL,
    hash          bytea       NOT NULL UNIQUE
);
COMMENT ON TABLE operator_actions IS
    'What a person did, by whom and why: written with the deed, chained by hash, never changed.';

CREATE FUNCTION chain_operator_action() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last record;
BEGIN
    -- One at a time, and each sees the one before: the lock is held until the commit.
    PERFORM pg_advisory_xact_lock(7205120);
    SELECT action_no, hash INTO last FROM operator_actions ORDER BY action_no DESC LIMIT 1;
    NEW.action_no := COALESCE(last.action_no, 0) + 1;
    NEW.acted_at := clock_timestamp();
    NEW.previous_hash := COALESCE(last.hash, decode(repeat('00', 32), 'hex'));
    NEW.hash := sha256(NEW.previous_hash || int8send(NEW.action_no) || timestamptz_send(NEW.acted_at)
        || int4send(octet_length(NEW.operator)) || convert_to(NEW.operator, 'UTF8')
        || int4send(octet_length(NEW.action)) || convert_to(NEW.action, 'UTF8')
        || int4send(octet_length(NEW.subject)) || convert_to(NEW.subject, 'UTF8')
        || int4send(octet_length(NEW.reason)) || convert_to(NEW.reason, 'UTF8')
        || convert_to(NEW.details::text, 'UTF8'));
    RETURN NEW;
END $$;
CREATE TRIGGER chained BEFORE INSERT ON operator_actions
    FOR EACH ROW EXECUTE FUNCTION chain_operator_action();

CREATE FUNCTION refuse_change_of_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what an operator did stays written: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_actions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_actions();
"""
