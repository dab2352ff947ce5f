"""What the auditor may read of the bank's own books, to compare them with ours."""

from alembic import op

from common.db.auditor import may_read

revision = "0002"
down_revision = "0001"

AUDITOR = may_read(
    payments="payment_no, protocol, public_id, order_id, amount_minor, refunded_minor, currency, state, created_at",
    refunds="refund_no, payment_no, public_id, amount_minor, created_at",
    alembic_version="version_num",
)


def upgrade() -> None:
    op.execute(AUDITOR)


def downgrade() -> None:
    raise RuntimeError("the sandbox bank's payments are not taken back: drop the database instead")
