"""A public key and a device for each session, so that users can list and end their sessions."""

from alembic import op

revision = "0002"
down_revision = "0001"

COLUMNS = """
ALTER TABLE sessions
    ADD COLUMN session_key uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN device text CHECK (length(device) BETWEEN 1 AND 100);
COMMENT ON COLUMN sessions.session_key IS 'Names the session to its user. It opens nothing.';
COMMENT ON COLUMN sessions.device IS 'Browser and system at sign-in, if the client named them.';
"""


def upgrade() -> None:
    op.execute(COLUMNS)


def downgrade() -> None:
    op.execute("ALTER TABLE sessions DROP COLUMN session_key, DROP COLUMN device")
