"""Refunds of payments that are not credited: a second payment, or a late one if the settings forbid the credit."""

from alembic import op

from common.db.auditor import may_read

revision = "0004"
down_revision = "0003"

TABLES = """
ALTER TABLE attempts DROP CONSTRAINT attempts_state_check;
ALTER TABLE attempts ADD CONSTRAINT attempts_state_check
    CHECK (state IN ('creating', 'payable', 'paid', 'surplus', 'void'));

-- Which attempt's money is given back, and whether it was on the user's balance before.
ALTER TABLE refunds ADD COLUMN bank_order_id text;
UPDATE refunds r SET bank_order_id = a.bank_order_id FROM attempts a WHERE a.topup_id = r.topup_id AND a.state = 'paid';
ALTER TABLE refunds ALTER COLUMN bank_order_id SET NOT NULL;
ALTER TABLE refunds ADD COLUMN was_credited boolean NOT NULL DEFAULT true;
DROP INDEX refunds_one_at_a_time;
CREATE UNIQUE INDEX refunds_one_at_a_time ON refunds (topup_id, bank_order_id) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX refunds_of_surplus ON refunds (topup_id, bank_order_id) WHERE NOT was_credited;
"""

AUDITOR = may_read(refunds="bank_order_id, was_credited")


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(AUDITOR)


def downgrade() -> None:
    raise RuntimeError("refunds are not taken back: restore a backup instead")
