"""An account has one unique key, its id.

A credit is ``INSERT INTO accounts ... ON CONFLICT (account_id) DO UPDATE``. PostgreSQL takes the conflict on that key
in its stride; a second unique key is no part of the bargain. While a row is being updated by others, the look before
the insertion can miss it (its old version is gone, its new one is in another page). The insertion then meets its like
in both indexes: in the one of the conflict it steps back and tries again, in the other it fails. Under load a
settlement of an existing account ended with "duplicate key" that way.

Nothing is lost with the index: the id is made of user and currency (UUIDv5), so two accounts of one user in one
currency would have one id, and the auditor derives every id anew.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("DROP INDEX accounts_of_user")


def downgrade() -> None:
    raise RuntimeError("a ledger is not taken back: restore a backup instead")
