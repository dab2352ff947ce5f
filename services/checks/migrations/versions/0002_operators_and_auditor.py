"""The trail of operators' actions, and what the auditor may read: no code, no stored answer."""

from alembic import op

from common.bus.schema import OPERATOR_ACTIONS_V1
from common.db.auditor import may_read

revision = "0002"
down_revision = "0001"

AUDITOR = may_read(
    checks=(
        "check_id, number, creator_id, acceptor_id, amount_minor, currency, status, created_at, expires_at, closes_at,"
        " tries, next_try_at"
    ),
    outbox="event_id, subscriber, type, payload, occurred_at, created_at, available_at, sends, closed_at",
    operator_actions="action_no, acted_at, operator, action, subject, reason, details, previous_hash, hash",
    alembic_version="version_num",
)


def upgrade() -> None:
    op.execute(OPERATOR_ACTIONS_V1)
    op.execute(AUDITOR)


def downgrade() -> None:
    raise RuntimeError("what operators did is not taken back: restore a backup instead")
