"""Allow repeated order numbers for YooKassa, where they are not unique."""

from alembic import op

revision = "0003"
down_revision = "0002"

CHANGES = """
ALTER TABLE payments DROP CONSTRAINT payments_protocol_order_id_key;
CREATE UNIQUE INDEX payments_of_order ON payments (protocol, order_id) WHERE protocol <> 'yookassa';
CREATE INDEX payments_of_order_of_yookassa ON payments (order_id) WHERE protocol = 'yookassa';
"""


def upgrade() -> None:
    op.execute(CHANGES)


def downgrade() -> None:
    raise RuntimeError("the sandbox bank's payments are not taken back: drop the database instead")
