"""Webhooks, messages, deliveries, and the inbox of the events that they report."""

from alembic import op

from common.bus.schema import INBOX_V1, INBOX_V2, OPERATOR_ACTIONS_V1

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE webhooks (
    webhook_id                 uuid        PRIMARY KEY,
    user_id                    uuid        NOT NULL,
    url                        text        NOT NULL CHECK (length(url) <= 2100),
    event_types                text[],
    status                     text        NOT NULL CHECK (status IN ('enabled', 'disabled')),
    secret_ciphertext          bytea       NOT NULL,
    previous_secret_ciphertext bytea,
    previous_secret_until      timestamptz,
    created_at                 timestamptz NOT NULL,
    disabled_at                timestamptz,
    notice                     text,
    failures                   integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
    paused_until               timestamptz,
    last_delivered_at          timestamptz,
    CHECK ((status = 'disabled') = (disabled_at IS NOT NULL)),
    CHECK ((previous_secret_ciphertext IS NULL) = (previous_secret_until IS NULL))
);
COMMENT ON TABLE webhooks IS 'URLs that receive the events of their users.';
COMMENT ON COLUMN webhooks.failures IS 'Consecutive failed attempts; with many of them all deliveries pause.';
CREATE INDEX webhooks_of_user ON webhooks (user_id, created_at);

CREATE TABLE messages (
    message_id  uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL,
    event_type  text        NOT NULL,
    object_id   uuid        NOT NULL,
    payload     text        NOT NULL,
    occurred_at timestamptz NOT NULL
);
COMMENT ON TABLE messages IS 'One event as one user sees it; the payload is the exact text that is signed and sent.';

CREATE TABLE deliveries (
    delivery_id      uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    delivery_no      bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    webhook_id       uuid        NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    message_id       uuid        NOT NULL REFERENCES messages,
    object_id        uuid        NOT NULL,
    position         smallint    NOT NULL,
    status           text        NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    is_replay        boolean     NOT NULL DEFAULT false,
    attempts         integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    round_attempts   integer     NOT NULL DEFAULT 0 CHECK (round_attempts >= 0),
    created_at       timestamptz NOT NULL,
    first_attempt_at timestamptz,
    last_attempt_at  timestamptz,
    next_attempt_at  timestamptz,
    leased_until     timestamptz,
    delivered_at     timestamptz,
    response_status  smallint,
    error            text,
    UNIQUE (webhook_id, message_id),
    CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
);
COMMENT ON TABLE deliveries IS 'A message on its way to one webhook; leased_until is set while an attempt is made.';
CREATE INDEX deliveries_due ON deliveries (webhook_id, next_attempt_at) WHERE status = 'pending';
CREATE INDEX deliveries_of_object ON deliveries (webhook_id, object_id, position);
CREATE INDEX deliveries_of_webhook ON deliveries (webhook_id, delivery_no DESC);
CREATE INDEX deliveries_ended ON deliveries (created_at) WHERE status <> 'pending';
CREATE INDEX deliveries_of_message ON deliveries (message_id);
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(INBOX_V1)
    op.execute(INBOX_V2)
    op.execute(OPERATOR_ACTIONS_V1)


def downgrade() -> None:
    raise RuntimeError("the secrets of receivers are not taken back: restore a backup instead")
