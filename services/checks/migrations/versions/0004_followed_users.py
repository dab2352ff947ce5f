"""Users whose events are published to subscribers that do not get every event."""

from alembic import op

from common.bus.schema import FOLLOWED_USERS_V1

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(FOLLOWED_USERS_V1)


def downgrade() -> None:
    raise RuntimeError("who is followed is not forgotten: restore a backup instead")
