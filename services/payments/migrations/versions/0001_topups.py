"""Top-ups, their attempts at the bank, and all notifications of banks."""

from alembic import op

from common.bus.schema import OUTBOX_V1
from common.db import idempotency

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE topups (
    topup_id       uuid        PRIMARY KEY,
    topup_no       bigint      GENERATED ALWAYS AS IDENTITY,
    user_id        uuid        NOT NULL,
    bank           text        NOT NULL,
    amount_minor   bigint      NOT NULL CHECK (amount_minor > 0),
    currency       text        NOT NULL CHECK (length(currency) = 3),
    status         text        NOT NULL CHECK (status IN ('pending', 'confirmed', 'failed', 'expired', 'refund_pending',
                                                          'partly_refunded', 'refunded')),
    return_url     text        NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL CHECK (expires_at > created_at),
    confirmed_at   timestamptz,
    refunded_minor bigint      NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    -- While somebody is talking to the bank about the page, nobody else does.
    busy_until     timestamptz,
    next_poll_at   timestamptz,
    polls          integer     NOT NULL DEFAULT 0 CHECK (polls >= 0),
    CONSTRAINT confirmed_has_its_time
        CHECK (status NOT IN ('confirmed', 'refund_pending', 'partly_refunded') OR confirmed_at IS NOT NULL)
) WITH (fillfactor = 80);
CREATE INDEX topups_of_user ON topups (user_id, topup_no DESC);
CREATE INDEX topups_to_poll ON topups (next_poll_at) WHERE next_poll_at IS NOT NULL;
CREATE INDEX topups_by_time ON topups (bank, created_at);

CREATE TABLE attempts (
    bank            text        NOT NULL,
    bank_order_id   text        NOT NULL,
    topup_id        uuid        NOT NULL REFERENCES topups,
    attempt_no      integer     NOT NULL CHECK (attempt_no > 0),
    state           text        NOT NULL CHECK (state IN ('creating', 'payable', 'paid', 'void')),
    bank_payment_id text,
    payment_url     text,
    note            text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    closed_at       timestamptz,
    PRIMARY KEY (bank, bank_order_id),
    UNIQUE (topup_id, attempt_no),
    CONSTRAINT payable_has_a_page
        CHECK (state <> 'payable' OR (bank_payment_id IS NOT NULL AND payment_url IS NOT NULL))
);
CREATE INDEX attempts_by_payment ON attempts (bank, bank_payment_id) WHERE bank_payment_id IS NOT NULL;
COMMENT ON TABLE attempts IS
    'One order at the bank each. A given-up one is void: it may exist at the bank, but nobody was told its page.';

CREATE TABLE notifications (
    notification_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bank              text        NOT NULL,
    source            text        NOT NULL CHECK (source IN ('webhook', 'poll', 'return', 'operator')),
    bank_payment_id   text,
    bank_status       text,
    -- What else it claims: the order, the amount, the currency, the terminal. A wrong one must not
    -- stand in the place of the right one.
    claim             bytea,
    bank_order_id     text,
    amount_minor      bigint,
    currency          text,
    topup_id          uuid,
    verdict           text        NOT NULL,
    address           text,
    headers           jsonb       NOT NULL DEFAULT '{}',
    body              text        NOT NULL DEFAULT '',
    times             integer     NOT NULL DEFAULT 1 CHECK (times > 0),
    first_received_at timestamptz NOT NULL DEFAULT now(),
    last_received_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX notifications_once ON notifications (bank, bank_payment_id, bank_status, claim)
    WHERE claim IS NOT NULL;
CREATE INDEX notifications_of_topup ON notifications (topup_id, notification_id) WHERE topup_id IS NOT NULL;
CREATE INDEX notifications_refused ON notifications (notification_id DESC)
    WHERE verdict NOT IN ('applied', 'noted');
CREATE INDEX notifications_forged ON notifications (first_received_at) WHERE verdict = 'bad_signature';
CREATE INDEX notifications_age ON notifications (last_received_at);
COMMENT ON TABLE notifications IS
    'Everything that came in the name of a bank, with its verdict; card numbers are masked before it is written.';
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(idempotency.SCHEMA_V1)
    op.execute(OUTBOX_V1)


def downgrade() -> None:
    raise RuntimeError("what a bank said is not taken back: restore a backup instead")
