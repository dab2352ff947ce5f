"""The port to the banks: the interface of an adapter, and the types that it shares with the use cases.

An adapter implements one bank's protocol and contains no business rule. It raises BankUnavailable if the outcome of a
call is unknown, BankRefused if the bank rejects the call, PaymentNotFound if the bank has no such payment.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import ClassVar, Final, Protocol, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field, FilePath, SecretStr, ValidationError

from common.core.money import Money
from common.core.secret_files import UnreadableSecret
from common.core.settings import FromEnvironment, Settings


class PaymentStatus(StrEnum):
    """Status of a payment, common to all banks."""

    OPEN = "open"  # created and not paid; the payer may be on the page
    HELD = "held"  # the amount is reserved on the card, not charged: neither paid nor ended
    CONFIRMED = "confirmed"  # charged
    FAILED = "failed"  # ended without payment: rejected, cancelled, reversed
    EXPIRED = "expired"  # ended without payment, because the time to pay has passed
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    OTHER = "other"  # an unknown status: recorded without effect


#: Statuses that leave the result of the payment open.
UNDECIDED: Final = frozenset({PaymentStatus.OPEN, PaymentStatus.HELD, PaymentStatus.OTHER})


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """One attempt of a top-up. ``order_id`` is unique per attempt; ``bank_payment_id`` is known after the creation."""

    topup_id: UUID
    order_id: str
    money: Money
    description: str
    created_at: datetime
    expires_at: datetime
    bank_payment_id: str | None = None
    #: Amount of earlier refunds in minor units.
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class BankPayment:
    """A created payment: its id at the bank, and the URL of its page."""

    bank_payment_id: str
    payment_url: str


@dataclass(frozen=True, slots=True)
class Notification:
    """A bank's report about one payment, sent by it or fetched from it. None: not part of the protocol.

    ``amount_minor`` is in minor units. ``terminal`` is the merchant account that the report names.
    """

    bank_payment_id: str
    order_id: str | None
    status: PaymentStatus
    bank_status: str
    amount_minor: int | None
    currency: str | None
    terminal: str | None = None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The HTTP response that stops the repeats of a notification."""

    status: int
    content_type: str
    body: bytes


class RefundOutcome(StrEnum):
    """The bank's response to a refund. Every other result is an exception."""

    DONE = "done"
    ACCEPTED = "accepted"  # in progress; retried later


class BankError(Exception):
    """Base of all errors of a bank. The message contains no secret."""


class BadSignature(BankError):
    """The notification is not authentic."""


class BankUnavailable(BankError):
    """The bank is unreachable, too slow, or its response is invalid: the outcome is unknown."""


class BankRefused(BankError):
    """The bank rejected the call. ``code`` is the bank's error code."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class PaymentNotFound(BankError):
    """The bank has no such payment."""


class Bank(Protocol):
    """The adapter of one bank. Safe to share between threads."""

    name: str
    #: Merchant account at the bank (terminal, shop). Notifications for another account are rejected.
    terminal: str
    #: The bank's statuses and their common equivalents.
    statuses: Mapping[str, PaymentStatus]
    #: Whether ``create_payment`` is idempotent at the bank: a repeat returns the same payment.
    creation_is_repeatable: bool

    def create_payment(self, order: PaymentOrder, return_url: str, callback_url: str) -> BankPayment:
        """Create a payment; raise BankRefused, or BankUnavailable (the payment may exist nevertheless)."""

    def parse_notification(
        self, method: str, headers: Mapping[str, str], raw_body: bytes, query: Mapping[str, str], client_ip: str
    ) -> Notification:
        """Authenticate and parse a notification.

        Raises BadSignature, or BankUnavailable if the bank has to confirm the notification and does not respond.
        """

    def fetch_status(self, order: PaymentOrder) -> Notification:
        """Return the bank's status report, by its own id if known; raise PaymentNotFound, BankUnavailable."""

    def cancel_payment(self, bank_payment_id: str) -> None:
        """Cancel an unpaid payment; raise BankRefused if the bank cannot do this.

        Only for payments whose page no user was given: if the payment is made concurrently, the bank refunds it.
        """

    def refund(self, order: PaymentOrder, amount_minor: int, key: str) -> RefundOutcome:
        """Refund an amount in minor units to the card, once per ``key``; raise BankRefused, BankUnavailable."""

    def list_payments(self, since: datetime, until: datetime) -> Iterator[Notification] | None:
        """Return all payments from ``since`` until before ``until``; None if the protocol has no list."""

    def acknowledge(self) -> Acknowledgement:
        """Return the response to an accepted notification."""


class BankSettings(FromEnvironment):
    """Settings of one bank. ``load`` exits the process with a message that names missing and invalid variables."""

    #: Required fields; one of each tuple is enough.
    REQUIRED: ClassVar[tuple[tuple[str, ...], ...]] = ()

    @classmethod
    def load(cls, environment: "BankEnvironment") -> Self:
        """Read the settings from the environment; exit the process if they are incomplete."""
        try:
            settings = cls()
        except UnreadableSecret as error:
            sys.exit(f"{cls.__module__}: {error}")
        except ValidationError as error:
            problems = [
                f"{cls.variable(str(item['loc'][0]) if item['loc'] else '')}: {item['msg']}"
                for item in error.errors(include_input=False)
            ]
        else:
            problems = [*settings.missing(), *settings.not_for_production(environment)]
        if problems:
            sys.exit(f"{cls.__module__}: the settings of this bank are incomplete:\n  " + "\n  ".join(problems))
        return settings

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the environment variable of a field."""
        return f"{cls.model_config.get('env_prefix') or ''}{field.upper()}"

    def missing(self) -> list[str]:
        """Return a message for each required variable that is not set."""
        return [
            f"{' or '.join(self.variable(field) for field in fields)} is not set"
            for fields in self.REQUIRED
            if not any(_text(getattr(self, field)) for field in fields)
        ]

    def not_for_production(self, environment: "BankEnvironment") -> list[str]:
        """Return a message for each test setting, in production only."""
        if environment.environment != "production":
            return []
        url = _text(getattr(self, "url", ""))
        marks = [mark for mark in self.test_marks() if mark]
        reason = _not_a_real_bank(url)
        return ([f"{self.variable('url')}: {reason}"] if reason else []) + marks

    def test_marks(self) -> list[str]:
        """Return a message for each credential that is known to be for testing."""
        return []


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")


def _not_a_real_bank(url: str) -> str | None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return "in production a bank must be called over https"
    if "test" in host or "sandbox" in host or "." not in host or host.endswith((".local", ".internal", ".localhost")):
        return f"{host} is not the address of a real bank (production)"
    try:
        public = ip_address(host).is_global
    except ValueError:
        public = True
    return None if public else f"{host} is not the address of a real bank (production)"


class BankEnvironment(Settings):
    """Settings of the calls to every bank: limits, trust, and the environment."""

    bank_ca_bundle: FilePath | None = None
    """File with the CA certificates that banks are verified with. Default: those of the system."""
    bank_connect_timeout_seconds: float = 1.5
    """Maximum time to connect to a bank."""
    bank_timeout_seconds: float = 4.0
    """Maximum duration of a call to a bank."""
    bank_pool_size: int = 8
    """Maximum number of connections to one bank."""
    bank_callback_pool_size: int = Field(default=4, gt=0)
    """Maximum number of concurrent calls to one bank that verify callbacks without a signature. Further callbacks are
    answered with an error; the bank repeats them, and the poll finds the payment too."""
    bank_breaker_failures: int = 5
    """Number of consecutive failed calls that opens the circuit breaker of a bank."""
    bank_breaker_seconds: float = 10.0
    """Time for which an open circuit breaker rejects calls."""
