"""Refunds of top-ups. Each step is stored before it is executed."""

from alembic import op

from common.db.auditor import may_read

revision = "0003"
down_revision = "0002"

TABLES = """
CREATE TABLE refunds (
    refund_id    uuid        PRIMARY KEY,
    topup_id     uuid        NOT NULL REFERENCES topups,
    amount_minor bigint      NOT NULL CHECK (amount_minor > 0),
    -- requested: the balance has not answered; debited: the bank has not; returning: the bank has refused.
    status       text        NOT NULL CHECK (status IN ('requested', 'debited', 'returning',
                                                        'done', 'refused', 'returned')),
    operator     text        NOT NULL,
    reason       text        NOT NULL,
    note         text,
    -- How often the bank was asked without our learning what it did.
    unknown      integer     NOT NULL DEFAULT 0 CHECK (unknown >= 0),
    tries        integer     NOT NULL DEFAULT 0 CHECK (tries >= 0),
    next_try_at  timestamptz,
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    CONSTRAINT open_ones_are_tried_again
        CHECK ((status IN ('requested', 'debited', 'returning')) = (next_try_at IS NOT NULL)
               AND (status IN ('done', 'refused', 'returned')) = (finished_at IS NOT NULL))
);
CREATE UNIQUE INDEX refunds_one_at_a_time ON refunds (topup_id) WHERE finished_at IS NULL;
CREATE INDEX refunds_of_topup ON refunds (topup_id, created_at);
CREATE INDEX refunds_due ON refunds (next_try_at) WHERE next_try_at IS NOT NULL;
"""

AUDITOR = may_read(
    refunds="refund_id, topup_id, amount_minor, status, operator, reason, unknown, tries, created_at, finished_at"
)


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(AUDITOR)


def downgrade() -> None:
    raise RuntimeError("refunds are not taken back: restore a backup instead")
