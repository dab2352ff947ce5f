"""The names of the log events of balance."""

from typing import Final

CHAIN_SEALED: Final = "chain_sealed"
CHAIN_SEAL_DEFERRED: Final = "chain_seal_deferred"
#: A batch of commands was executed; ``links`` names the requests that it serves.
COMMANDS_EXECUTED: Final = "commands_executed"
INBOX_PURGED: Final = "inbox_purged"
