"""A check, its statuses, and the verbs that lead from one to the next. The tables themselves are in ``migrations``."""

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

from common.contracts import events

#: The duration of a freeze stops doubling here: by then it is longer than the life of any check.
MAX_DOUBLINGS: Final = 14


class CheckStatus(StrEnum):
    """Where a check is in its life. ``pending`` and ``rejected`` are never shown: there is no money behind them."""

    PENDING = "pending"
    ACTIVE = "active"
    USED = "used"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


TRANSITIONS: Final[Mapping[CheckStatus, frozenset[CheckStatus]]] = {
    CheckStatus.PENDING: frozenset({CheckStatus.ACTIVE, CheckStatus.REJECTED}),
    CheckStatus.ACTIVE: frozenset({CheckStatus.USED, CheckStatus.EXPIRED, CheckStatus.CANCELLED}),
    CheckStatus.USED: frozenset(),
    CheckStatus.EXPIRED: frozenset(),
    CheckStatus.CANCELLED: frozenset(),
    CheckStatus.REJECTED: frozenset(),
}


class IllegalTransition(Exception):
    """The code asked for a step that no check can take: a bug, never the fault of a user."""


@dataclass(frozen=True, slots=True)
class FreezePolicy:
    """After how many wrong codes in a row a check is frozen, and for how long the first time."""

    after_wrong_codes: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Check:
    """One check. Times are UTC; ``closes_at`` is when it ended, or will end if nobody comes.

    ``tries`` and ``next_try_at`` belong to pending ones: how often balance was asked for the money, and when
    somebody may ask again.
    """

    check_id: UUID
    number: str
    creator_id: UUID
    acceptor_id: UUID | None
    amount_minor: int
    currency: str
    note: str | None
    code_ciphertext: bytes
    status: CheckStatus
    created_at: datetime
    expires_at: datetime
    closes_at: datetime
    failed_attempts: int = 0
    freezes: int = 0
    frozen_until: datetime | None = None
    tries: int = 0
    next_try_at: datetime | None = None

    @property
    def fastcheck(self) -> str:
        """The number as people see it: ``1234-5678-0001``."""
        return f"{self.number[:4]}-{self.number[4:8]}-{self.number[8:]}"

    def status_at(self, now: datetime) -> CheckStatus:
        """The status that the world sees: a check past its expiration has expired, swept or not."""
        if self.status is CheckStatus.ACTIVE and self.expires_at <= now:
            return CheckStatus.EXPIRED
        return self.status

    def is_frozen(self, now: datetime) -> bool:
        return self.frozen_until is not None and self.frozen_until > now

    def activate(self) -> Self:
        """Its money is held."""
        return self._become(CheckStatus.ACTIVE, next_try_at=None)

    def reject(self, now: datetime) -> Self:
        """There was not enough money, and for this check there never will be."""
        return self._become(CheckStatus.REJECTED, closes_at=now, next_try_at=None)

    def accept(self, acceptor_id: UUID, now: datetime) -> Self:
        """Somebody entered number and code in time."""
        self._must_be_in_time(now)
        return self._become(CheckStatus.USED, acceptor_id=acceptor_id, closes_at=now)

    def cancel(self, now: datetime) -> Self:
        """The creator takes it back in time."""
        self._must_be_in_time(now)
        return self._become(CheckStatus.CANCELLED, closes_at=now)

    def expire(self, now: datetime) -> Self:
        """Its time has passed. However late this is noticed, it ended at ``expires_at``."""
        if now < self.expires_at:
            raise IllegalTransition(f"check {self.check_id} expires at {self.expires_at}, not at {now}")
        return self._become(CheckStatus.EXPIRED)

    def change_code(self, ciphertext: bytes) -> Self:
        """Only the code changes: a freeze goes on, for it protects the number, and wrong codes stay counted."""
        if self.status is not CheckStatus.ACTIVE:
            raise IllegalTransition(f"check {self.check_id} is {self.status}, its code is history")
        return replace(self, code_ciphertext=ciphertext)

    def count_wrong_code(self, now: datetime, policy: FreezePolicy) -> Self:
        """One more wrong code; the last one that is allowed freezes the check, each time for twice as long."""
        failed = self.failed_attempts + 1
        if failed < policy.after_wrong_codes:
            return replace(self, failed_attempts=failed)
        duration = timedelta(seconds=policy.seconds * 2 ** min(self.freezes, MAX_DOUBLINGS))
        return replace(self, failed_attempts=0, freezes=self.freezes + 1, frozen_until=now + duration)

    def accepted_event(self) -> events.CheckAccepted:
        if self.acceptor_id is None:
            raise IllegalTransition(f"check {self.check_id} was not accepted")
        return events.CheckAccepted(
            self.check_id, self.fastcheck, self.acceptor_id, self.amount_minor, self.currency, self.closes_at
        )

    def cancelled_event(self) -> events.CheckCancelled:
        return events.CheckCancelled(
            self.check_id, self.fastcheck, self.creator_id, self.amount_minor, self.currency, self.closes_at
        )

    def expired_event(self) -> events.CheckExpired:
        return events.CheckExpired(
            self.check_id, self.fastcheck, self.creator_id, self.amount_minor, self.currency, self.closes_at
        )

    def _become(self, status: CheckStatus, **changes: object) -> Self:
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(f"check {self.check_id} cannot go from {self.status} to {status}")
        return replace(self, status=status, **changes)  # type: ignore[arg-type]

    def _must_be_in_time(self, now: datetime) -> None:
        if now >= self.expires_at:
            raise IllegalTransition(f"check {self.check_id} expired at {self.expires_at}")


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody who wants a check asks for."""

    amount_minor: int
    currency: str
    note: str | None
    lifetime_seconds: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody enters a number and a code."""

    user_id: UUID
    number: str
    code: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """What a use case came to: the check, its code where the caller may see it, and whether this was said before."""

    check: Check
    code: str | None = None
    replayed: bool = False


class HistoryType(StrEnum):
    """Which side of a check the reader of the history was on."""

    CREATED = "created"
    ACCEPTED = "accepted"


class Ending(StrEnum):
    """How a check ended, in the words of the public API."""

    USED = "used"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """A check that is over, seen from one side."""

    type: HistoryType
    check: Check

    @property
    def ending(self) -> Ending:
        """What is over and still stored as active has expired, and is not swept yet."""
        return Ending.EXPIRED if self.check.status is CheckStatus.ACTIVE else Ending(self.check.status.value)


def random_number() -> str:
    """Twelve digits that nobody can guess from another number."""
    return f"{secrets.randbelow(10**12):012d}"


def number_of(fastcheck: str) -> str:
    """The inverse of :attr:`Check.fastcheck`."""
    return fastcheck.replace("-", "")


def seconds_until(moment: datetime, now: datetime) -> int:
    """Whole seconds to wait, at least one, for ``Retry-After``."""
    return max(1, math.ceil((moment - now).total_seconds()))
