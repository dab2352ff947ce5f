"""The types of the ledger: accounts, transfers, entries. The tables are defined in ``migrations``.

Money moves between accounts in transfers. A transfer has an id that is derived from its cause, and entries that sum to
zero. A user account stores its balance. The system accounts (``bank``, ``escrow``) store none, so that no row is
updated by every transfer.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from common.core.ids import derived_id


class TransferKind(StrEnum):
    """Why money moved, as the public statement shows it."""

    TOPUP = "topup"
    CHECK_CREATED = "check_created"
    CHECK_ACCEPTED = "check_accepted"
    CHECK_EXPIRED = "check_expired"
    CHECK_CANCELLED = "check_cancelled"
    TOPUP_REFUNDED = "topup_refunded"


class SystemAccount(StrEnum):
    """The counter account of a user's transfer."""

    BANK = "bank"
    ESCROW = "escrow"


@lru_cache(maxsize=10_000)
def user_account_id(user_id: UUID, currency: str) -> UUID:
    """Return the id of a user's account in a currency, without a query."""
    return derived_id("account", user_id, currency)


@lru_cache(maxsize=100)
def system_account_id(account: SystemAccount, currency: str) -> UUID:
    """Return the id of a system account in a currency."""
    return derived_id("account", account.value, currency)


def transfer_id(kind: TransferKind, subject_id: UUID) -> UUID:
    """Return the id of the one transfer of this kind that a check or a top-up can cause."""
    return derived_id(kind.value, subject_id)


@dataclass(frozen=True, slots=True)
class Posting:
    """A transfer between a user and the system, in whole minor units.

    ``subject_id`` is the check or the top-up; ``reference`` is its id in the public API.
    """

    kind: TransferKind
    subject_id: UUID
    user_id: UUID
    amount_minor: int
    currency: str
    reference: str

    @property
    def transfer_id(self) -> UUID:
        return transfer_id(self.kind, self.subject_id)

    @property
    def account_id(self) -> UUID:
        return user_account_id(self.user_id, self.currency)

    @property
    def counter_account_id(self) -> UUID:
        """The bank for top-ups and their refunds, the escrow for checks."""
        by_bank = self.kind in (TransferKind.TOPUP, TransferKind.TOPUP_REFUNDED)
        return system_account_id(SystemAccount.BANK if by_bank else SystemAccount.ESCROW, self.currency)

    @property
    def closes_id(self) -> UUID | None:
        """The hold that this transfer ends, if any; the database permits one such transfer per hold."""
        if self.kind in (TransferKind.CHECK_ACCEPTED, TransferKind.CHECK_EXPIRED, TransferKind.CHECK_CANCELLED):
            return transfer_id(TransferKind.CHECK_CREATED, self.subject_id)
        return None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One entry of a user's account, as the statement shows it. ``amount_minor`` is signed."""

    entry_id: int
    kind: str
    amount_minor: int
    balance_after: int
    currency: str
    reference: str
    created_at: datetime
