"""Count forged notifications by bank, and unpaid top-ups by user."""

from alembic import op

revision = "0005"
down_revision = "0004"

INDEXES = """
DROP INDEX notifications_forged;
CREATE INDEX notifications_forged ON notifications (bank, first_received_at) WHERE verdict = 'bad_signature';
CREATE INDEX topups_unpaid ON topups (user_id) WHERE status = 'pending';
"""


def upgrade() -> None:
    op.execute(INDEXES)


def downgrade() -> None:
    raise RuntimeError("what a bank said is not taken back: restore a backup instead")
