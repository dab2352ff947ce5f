"""The trail of operators' actions, and what the auditor may read: of a bank's message what it says, not how it came."""

from alembic import op

from common.bus.schema import OPERATOR_ACTIONS_V1
from common.db.auditor import may_read

revision = "0002"
down_revision = "0001"

AUDITOR = may_read(
    topups=(
        "topup_id, user_id, bank, amount_minor, currency, status, created_at, expires_at, confirmed_at,"
        " refunded_minor, next_poll_at, polls"
    ),
    attempts="bank, bank_order_id, topup_id, attempt_no, state, bank_payment_id, created_at, closed_at",
    notifications=(
        "notification_id, bank, source, bank_payment_id, bank_status, bank_order_id, amount_minor, currency, topup_id,"
        " verdict, times, first_received_at, last_received_at"
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
