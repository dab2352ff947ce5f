"""The names of the log events of balance."""

from typing import Final

#: Transfers were sealed into the hash chain.
CHAIN_SEALED: Final = "chain_sealed"
#: A transaction stayed open too long; the next run seals its transfers.
CHAIN_SEAL_DEFERRED: Final = "chain_seal_deferred"
#: A batch of commands was executed; ``links`` names the requests that it serves.
COMMANDS_EXECUTED: Final = "commands_executed"
#: Ids of processed events whose retention has ended were deleted.
INBOX_PURGED: Final = "inbox_purged"
