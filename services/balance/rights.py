"""What the runtime role of balance may do in its database. The ledger is append-only for it."""

from typing import Final

from common.bus.schema import DEAD_LETTERS_RIGHTS, INBOX_RIGHTS, OPERATOR_ACTIONS_RIGHTS
from common.db.rights import DatabaseRights, TableRights

RIGHTS: Final = DatabaseRights(
    {
        "accounts": TableRights(insert=True, update=("balance_minor",)),
        "transfers": TableRights(insert=True),
        "entries": TableRights(insert=True),
        "chain_blocks": TableRights(insert=True),
        "chain_links": TableRights(insert=True),
        "inbox": INBOX_RIGHTS,
        "dead_letters": DEAD_LETTERS_RIGHTS,
        "operator_actions": OPERATOR_ACTIONS_RIGHTS,
    },
    # Sealing reads the last number that was drawn.
    sequences={"transfers_transfer_no_seq": "SELECT"},
)
