"""A check, its statuses and the transitions between them. The tables are in ``migrations``."""

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, Self
from uuid import UUID, uuid5

from common.contracts import events
from common.db.idempotency import IdempotencyKey

#: Wrong codes since the code of a check was set, after which only a new code lets the check be accepted.
MAX_WRONG_CODES: Final = 20
#: Limits the doubling of a freeze: by then it is longer than the lifetime of any check.
MAX_DOUBLINGS: Final = 14

_GUESTS: Final = UUID("6d1f1c0a-3f5e-4d27-9d43-5f0b8f3a2c11")


class CheckStatus(StrEnum):
    """The status of a check. ``pending`` and ``rejected`` checks hold no money and are never shown."""

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
    """A transition that ``TRANSITIONS`` forbids: a bug, never an error of the user."""


@dataclass(frozen=True, slots=True)
class FreezePolicy:
    """The number of wrong codes in a row that freezes a check, and the duration of its first freeze."""

    after_wrong_codes: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Check:
    """One check. Times are UTC. ``closes_at`` is when it ended, or will expire.

    ``tries`` and ``next_try_at`` are set for pending checks: the number of attempts to hold the money, and the end of
    the current lease, when the next attempt may start.
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
    wrong_codes: int = 0
    freezes: int = 0
    frozen_until: datetime | None = None
    tries: int = 0
    next_try_at: datetime | None = None

    @property
    def fastcheck(self) -> str:
        """The number in its public format: ``1234-5678-0001``."""
        return f"{self.number[:4]}-{self.number[4:8]}-{self.number[8:]}"

    def status_at(self, now: datetime) -> CheckStatus:
        """Return the public status: an active check past its expiration is expired, before the sweep too."""
        if self.status is CheckStatus.ACTIVE and self.expires_at <= now:
            return CheckStatus.EXPIRED
        return self.status

    @property
    def code_change_required(self) -> bool:
        """Whether the check stays frozen until its creator changes the code."""
        return self.wrong_codes >= MAX_WRONG_CODES

    def is_frozen(self, now: datetime) -> bool:
        return self.code_change_required or (self.frozen_until is not None and self.frozen_until > now)

    def activate(self) -> Self:
        """Return the check as active: its money is held."""
        return self._become(CheckStatus.ACTIVE, next_try_at=None)

    def reject(self, now: datetime) -> Self:
        """Return the check as rejected: the balance was too low, which is final for this check."""
        return self._become(CheckStatus.REJECTED, closes_at=now, next_try_at=None)

    def accept(self, acceptor_id: UUID, now: datetime) -> Self:
        """Return the check as used; raises IllegalTransition after its expiration."""
        self._must_be_in_time(now)
        return self._become(CheckStatus.USED, acceptor_id=acceptor_id, closes_at=now)

    def cancel(self, now: datetime) -> Self:
        """Return the check as cancelled; raises IllegalTransition after its expiration."""
        self._must_be_in_time(now)
        return self._become(CheckStatus.CANCELLED, closes_at=now)

    def expire(self, now: datetime) -> Self:
        """Return the check as expired at ``expires_at``, however late it is called; raises IllegalTransition before."""
        if now < self.expires_at:
            raise IllegalTransition(f"check {self.check_id} expires at {self.expires_at}, not at {now}")
        return self._become(CheckStatus.EXPIRED)

    def change_code(self, ciphertext: bytes) -> Self:
        """Return the check with a new code. A freeze ends: the wrong codes so far say nothing about the new code."""
        if self.status is not CheckStatus.ACTIVE:
            raise IllegalTransition(f"check {self.check_id} is {self.status}, its code cannot change")
        return replace(self, code_ciphertext=ciphertext, failed_attempts=0, wrong_codes=0, freezes=0, frozen_until=None)

    def count_wrong_code(self, now: datetime, policy: FreezePolicy) -> Self:
        """Return the check with one more wrong code; the last allowed one freezes it, each time for twice as long."""
        failed, wrong_codes = self.failed_attempts + 1, self.wrong_codes + 1
        if failed < policy.after_wrong_codes:
            return replace(self, failed_attempts=failed, wrong_codes=wrong_codes)
        duration = timedelta(seconds=policy.seconds * 2 ** min(self.freezes, MAX_DOUBLINGS))
        return replace(
            self, failed_attempts=0, wrong_codes=wrong_codes, freezes=self.freezes + 1, frozen_until=now + duration
        )

    def created_event(self) -> events.CheckCreated:
        return events.CheckCreated(
            self.check_id,
            self.fastcheck,
            self.creator_id,
            self.amount_minor,
            self.currency,
            expires_at=self.expires_at,
            occurred_at=self.created_at,
            note=self.note,
        )

    def accepted_event(self) -> events.CheckAccepted:
        if self.acceptor_id is None:
            raise IllegalTransition(f"check {self.check_id} was not accepted")
        return events.CheckAccepted(
            self.check_id,
            self.fastcheck,
            self.acceptor_id,
            self.amount_minor,
            self.currency,
            occurred_at=self.closes_at,
            creator_id=self.creator_id,
            created_at=self.created_at,
            note=self.note,
        )

    def cancelled_event(self) -> events.CheckCancelled:
        return events.CheckCancelled(
            self.check_id,
            self.fastcheck,
            self.creator_id,
            self.amount_minor,
            self.currency,
            occurred_at=self.closes_at,
            created_at=self.created_at,
            note=self.note,
        )

    def expired_event(self) -> events.CheckExpired:
        return events.CheckExpired(
            self.check_id,
            self.fastcheck,
            self.creator_id,
            self.amount_minor,
            self.currency,
            occurred_at=self.closes_at,
            created_at=self.created_at,
            note=self.note,
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
    """The parameters of a new check. A ``lifetime_seconds`` of None means the default lifetime."""

    amount_minor: int
    currency: str
    note: str | None
    lifetime_seconds: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A user's attempt to open a check with its number and code."""

    user_id: UUID
    number: str
    code: str
    at: datetime
    #: The client's address in the form in which it is counted; None is not counted.
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a use case: the check, its code if the caller may see it, and whether the response is replayed."""

    check: Check
    code: str | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Creation:
    """A request to create a check: the check as a draft with its code, the client's key, the trace of the request."""

    draft: Result
    key: IdempotencyKey | None
    trace: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A request to accept a check."""

    attempt: Attempt
    key: IdempotencyKey | None
    trace: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of an acceptance, and whether balance needs no further call: it has settled or the event will."""

    result: Result
    is_settled: bool


class HistoryType(StrEnum):
    """The role of the reader of the history: creator or acceptor."""

    CREATED = "created"
    ACCEPTED = "accepted"


class Ending(StrEnum):
    """How a check ended, in the terms of the public API."""

    USED = "used"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """An ended check in the history of its creator or acceptor."""

    type: HistoryType
    check: Check

    @property
    def ending(self) -> Ending:
        """An ended check that is still stored as active is expired: the sweep has not reached it yet."""
        return Ending.EXPIRED if self.check.status is CheckStatus.ACTIVE else Ending(self.check.status.value)


def guest_of(address: str) -> UUID:
    """Return the id that stands for all guests of an address, or of its /64 for IPv6, in the count of failed attempts.

    It is derived (UUIDv5), and users' ids are random (UUIDv4), so it is no user's.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return uuid5(_GUESTS, address)
    network = ip_network((parsed, 64), strict=False) if isinstance(parsed, IPv6Address) else parsed
    return uuid5(_GUESTS, str(network))


def random_number() -> str:
    """Return twelve random digits, which cannot be derived from another number."""
    return f"{secrets.randbelow(10**12):012d}"


def number_of(fastcheck: str) -> str:
    """Return the twelve digits of a number in its public format."""
    return fastcheck.replace("-", "")


def seconds_until(at: datetime, now: datetime) -> int:
    """Return the whole seconds until an instant, at least 1, for ``Retry-After``."""
    return max(1, math.ceil((at - now).total_seconds()))
