"""The accounts of the ledger: each id derives from the owner and the currency."""

from typing import Final
from uuid import UUID

from auditor.digest import derived_hex
from auditor.findings import Finding, Report
from auditor.sources import Source

RULE: Final = "every account has the id of its owner"

_ACCOUNTS: Final = "SELECT encode(uuid_send(account_id), 'hex'), kind, user_id::text, currency FROM accounts"


def examine(ledger: Source, report: Report) -> None:
    """Compare every account id with the one that its owner and currency derive."""
    report.apply(
        RULE,
        [
            Finding(RULE, f"account {UUID(account_id)}", f"is not the account of {user_id or kind} in {currency}")
            for account_id, kind, user_id, currency in ledger.stream(_ACCOUNTS)
            if account_id != derived_hex("account", user_id or kind, currency)
        ],
    )
