"""The number of wrong codes since the code of a check was set, and failed attempts by client address."""

from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = """
ALTER TABLE checks ADD COLUMN wrong_codes integer NOT NULL DEFAULT 0 CHECK (wrong_codes >= 0);
COMMENT ON COLUMN checks.wrong_codes IS 'Wrong codes since the code was set; a new code sets it to 0.';

ALTER TABLE failed_attempts ADD COLUMN address text;
COMMENT ON COLUMN failed_attempts.address IS 'The address of the client, or its /64 for IPv6.';
CREATE INDEX failed_attempts_of_address ON failed_attempts (address, attempted_at) WHERE address IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(COLUMNS)


def downgrade() -> None:
    raise RuntimeError("checks are not taken back: restore a backup instead")
