"""An attempt that ended with a failure of the moment does not count: an event may have none."""

from alembic import op

from common.bus.schema import INBOX_V2

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(INBOX_V2)


def downgrade() -> None:
    raise RuntimeError("a ledger is not taken back: restore a backup instead")
