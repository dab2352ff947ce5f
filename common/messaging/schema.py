"""The tables of the bus, as SQL for the migrations of the services that have them.

A constant is never edited once it has been released; a change is a new constant and a new migration.
"""

from typing import Final

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
