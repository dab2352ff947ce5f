"""The names of the log events of balance."""

from typing import Final

CHAIN_SEALED: Final = "chain_sealed"
CHAIN_SEAL_DEFERRED: Final = "chain_seal_deferred"
INBOX_PURGED: Final = "inbox_purged"
