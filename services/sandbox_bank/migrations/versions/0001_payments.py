"""Payments of the sandbox bank, and its pending notifications."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE payments (
    payment_no      bigint      GENERATED ALWAYS AS IDENTITY (START WITH 2000000001) PRIMARY KEY,
    protocol        text        NOT NULL,
    public_id       text        NOT NULL,
    order_id        text,
    -- Given by the merchant in protocols that have one; the same key is the same payment.
    idempotence_key text,
    request_hash    bytea,
    amount_minor    bigint      NOT NULL CHECK (amount_minor > 0),
    refunded_minor  bigint      NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    currency        text        NOT NULL,
    description     text        NOT NULL DEFAULT '',
    state           text        NOT NULL DEFAULT 'NEW',
    notify_url      text,
    success_url     text        NOT NULL,
    fail_url        text        NOT NULL,
    page_key        text        NOT NULL UNIQUE,
    expires_at      timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    faults          text[]      NOT NULL DEFAULT '{}',
    details         jsonb       NOT NULL DEFAULT '{}',
    UNIQUE (protocol, public_id),
    UNIQUE (protocol, order_id),
    UNIQUE (protocol, idempotence_key)
);
CREATE INDEX payments_open ON payments (expires_at) WHERE state = 'NEW';
CREATE INDEX payments_by_time ON payments (protocol, created_at);
COMMENT ON TABLE payments IS 'There is no column for a card, on purpose.';

CREATE TABLE refunds (
    refund_no    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_no   bigint      NOT NULL REFERENCES payments,
    public_id    text        NOT NULL UNIQUE,
    request_key  text        NOT NULL,
    amount_minor bigint      NOT NULL CHECK (amount_minor > 0),
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (payment_no, request_key)
);

CREATE TABLE deliveries (
    delivery_id  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_no   bigint      NOT NULL REFERENCES payments,
    label        text        NOT NULL,
    method       text        NOT NULL,
    url          text        NOT NULL,
    content_type text        NOT NULL,
    body         bytea       NOT NULL,
    wants        text,
    due_at       timestamptz,
    attempts     integer     NOT NULL DEFAULT 0,
    max_attempts integer     NOT NULL,
    delivered_at timestamptz,
    last_answer  text,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_of_payment ON deliveries (payment_no);
COMMENT ON TABLE deliveries IS 'Notifications owed to merchants; due_at is null once delivered, lost or given up.';

-- Which orders have had their fault of the interface already.
CREATE TABLE struck (
    protocol text NOT NULL,
    order_id text NOT NULL,
    fault    text NOT NULL,
    PRIMARY KEY (protocol, order_id, fault)
);

CREATE TABLE assigned_faults (
    protocol text   NOT NULL,
    order_id text   NOT NULL,
    faults   text[] NOT NULL,
    PRIMARY KEY (protocol, order_id)
);

CREATE TABLE fault_plan (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    plan     jsonb   NOT NULL,
    used     bigint  NOT NULL DEFAULT 0
);
COMMENT ON TABLE fault_plan IS 'A list of lists of faults; each new order takes the next list, round and round.';
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    raise RuntimeError("the sandbox bank's payments are not taken back: drop the database instead")
