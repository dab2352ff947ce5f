"""The trail of operators' actions, and what the auditor may read."""

from alembic import op

from common.bus.schema import OPERATOR_ACTIONS_V1
from common.db.auditor import may_read

revision = "0003"
down_revision = "0002"

AUDITOR = may_read(
    accounts="account_id, kind, user_id, currency, balance_minor, opened_at",
    transfers=(
        "transfer_no, transfer_id, kind, outcome, subject_id, user_id, closes_id, amount_minor, currency, reference,"
        " created_at"
    ),
    entries="entry_id, transfer_id, account_id, amount_minor, currency, balance_after, created_at",
    chain_blocks="block_no, last_no, transfers, sealed_at, complete_at, previous_hash, hash",
    chain_links="transfer_no, transfer_id, block_no, hash",
    inbox="event_id, type, source, attempts, received_at, processed_at, parked_at",
    dead_letters="event_id, source, attempts, error, parked_at, resolved_at, resolution, reason",
    operator_actions="action_no, acted_at, operator, action, subject, reason, details, previous_hash, hash",
    alembic_version="version_num",
)


def upgrade() -> None:
    op.execute(OPERATOR_ACTIONS_V1)
    op.execute(AUDITOR)


def downgrade() -> None:
    raise RuntimeError("what operators did is not taken back: restore a backup instead")
