"""The hash chain over the ledger: what is sealed cannot be changed without a trace."""

from alembic import op

revision = "0002"
down_revision = "0001"

# The number is drawn when a transfer is inserted. Transfers commit in another order, see chain.py; what the number
# gives is one fixed place for each, which the chain covers. Existing rows are numbered as they lie on the disk.
NUMBERS = """
ALTER TABLE transfers ADD COLUMN transfer_no bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE transfers ADD CONSTRAINT transfers_have_one_place UNIQUE (transfer_no);
"""

TABLES = """
CREATE TABLE chain_blocks (
    block_no      bigint      PRIMARY KEY CHECK (block_no > 0),
    last_no       bigint      NOT NULL CHECK (last_no > 0),
    transfers     integer     NOT NULL CHECK (transfers > 0),
    sealed_at     timestamptz NOT NULL,
    complete_at   timestamptz,
    previous_hash bytea       NOT NULL CHECK (octet_length(previous_hash) = 32),
    hash          bytea       NOT NULL UNIQUE CHECK (octet_length(hash) = 32)
);
COMMENT ON TABLE chain_blocks IS
    'Each block seals the transfers with numbers above the last_no of the one before, up to its own.';

COMMENT ON COLUMN chain_blocks.complete_at IS
    'When no number above last_no was drawn yet: what has one is younger. Null where the block was full.';

CREATE TABLE chain_links (
    transfer_no bigint PRIMARY KEY,
    transfer_id uuid   NOT NULL UNIQUE,
    block_no    bigint NOT NULL,
    hash        bytea  NOT NULL CHECK (octet_length(hash) = 32)
);
COMMENT ON TABLE chain_links IS
    'SHA-256 of every column of a transfer and of its entries, at the time of sealing.';
"""

RULES = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON chain_blocks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON chain_links
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.execute(NUMBERS)
    op.execute(TABLES)
    op.execute(RULES)


def downgrade() -> None:
    raise RuntimeError("a ledger is not taken back: restore a backup instead")
