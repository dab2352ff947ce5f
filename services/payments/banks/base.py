"""The port to the banks: what every adapter gives, and the words that both sides use.

An adapter speaks one bank's protocol and decides nothing. It raises BankUnavailable when the outcome of a
call is not known, BankRefused when the bank said no, PaymentNotFound when the bank knows no such payment.
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

from pydantic import FilePath, SecretStr, ValidationError

from common.core.money import Money
from common.core.settings import FromEnvironment, Settings


class PaymentStatus(StrEnum):
    """Where a payment stands, in words that are the same for all banks."""

    OPEN = "open"  # created, the payer may be at the page
    HELD = "held"  # the card's money is reserved, not taken: neither paid nor over
    CONFIRMED = "confirmed"  # the money is taken
    FAILED = "failed"  # over without money: rejected, cancelled, reversed
    EXPIRED = "expired"  # over without money, because nobody paid in time
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    OTHER = "other"  # a word that we do not know: noted, and nothing follows from it


#: The bank says nothing about the payment's end yet.
UNDECIDED: Final = frozenset({PaymentStatus.OPEN, PaymentStatus.HELD, PaymentStatus.OTHER})


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """One attempt to have a top-up paid. ``order_id`` is ours and unique per attempt; the bank's id comes later."""

    topup_id: UUID
    order_id: str
    money: Money
    description: str
    created_at: datetime
    expires_at: datetime
    bank_payment_id: str | None = None
    #: What was given back of it before, for refunds.
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class BankPayment:
    """The bank has made a payment: its id there, and the page where it is paid."""

    bank_payment_id: str
    payment_url: str


@dataclass(frozen=True, slots=True)
class Notification:
    """What a bank says of one payment, in a notification or when asked. None: the protocol does not say."""

    bank_payment_id: str
    order_id: str | None
    status: PaymentStatus
    bank_status: str
    amount_minor: int | None
    currency: str | None
    terminal: str | None = None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a bank wants to hear so that it stops repeating a notification."""

    status: int
    content_type: str
    body: bytes


class RefundOutcome(StrEnum):
    """What the bank notification to a refund. Everything else is an exception, and means "ask again"."""

    DONE = "done"
    ACCEPTED = "accepted"  # under way; asked again later


class BankError(Exception):
    """Whatever goes wrong with a bank; the text names no secret."""


class BadSignature(BankError):
    """A notification that the bank cannot have sent."""


class BankUnavailable(BankError):
    """Not reached, no answer in time, or an answer that makes no sense: what the bank did is not known."""


class BankRefused(BankError):
    """The bank answered, and said no. ``code`` is the bank's own."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class PaymentNotFound(BankError):
    """The bank answered, and knows no such payment."""


class Bank(Protocol):
    """One bank. Safe to share between threads."""

    name: str
    #: Our number at the bank (terminal, shop); what a notification names must be equal to it.
    terminal: str
    #: The bank's own words for where a payment stands.
    statuses: Mapping[str, PaymentStatus]
    #: True where ``create_payment`` may simply be called again: the bank gives the same payment.
    creation_is_repeatable: bool

    def create_payment(self, order: PaymentOrder, return_url: str, callback_url: str) -> BankPayment:
        """Make a payment; raises BankUnavailable (it may exist all the same) or BankRefused."""

    def parse_notification(
        self, method: str, headers: Mapping[str, str], raw_body: bytes, query: Mapping[str, str], client_ip: str
    ) -> Notification:
        """What the bank says; raises BadSignature, or BankUnavailable where the bank must be asked to believe it."""

    def fetch_status(self, order: PaymentOrder) -> Notification:
        """Ask the bank, by its own id where that is known; raises PaymentNotFound or BankUnavailable."""

    def cancel_payment(self, bank_payment_id: str) -> None:
        """Make an unpaid payment unpayable; raises BankRefused where the bank cannot do this.

        Never for a payment whose page somebody knows: were it paid at this moment, the bank would give the money back.
        """

    def refund(self, order: PaymentOrder, amount_minor: int, key: str) -> RefundOutcome:
        """Give money back to the card, once per ``key``; raises BankRefused or BankUnavailable."""

    def list_payments(self, since: datetime, until: datetime) -> Iterator[Notification] | None:
        """All payments that the bank has of us from a span of time; None where its protocol has no such list."""

    def acknowledge(self) -> Acknowledgement:
        """The answer to a notification that was taken."""


class BankSettings(FromEnvironment):
    """Settings of one bank. ``load`` ends the process with a sentence that names what is missing or wrong."""

    #: Variables, by field, without which this bank is not switched on; one of each tuple is enough.
    REQUIRED: ClassVar[tuple[tuple[str, ...], ...]] = ()

    @classmethod
    def load(cls, environment: "BankEnvironment") -> Self:
        """Read the bank's variables from the environment."""
        try:
            settings = cls()
        except ValidationError as error:
            problems = [
                f"{cls.variable(str(item['loc'][0]) if item['loc'] else '')}: {item['msg']}"
                for item in error.errors(include_input=False)
            ]
        else:
            problems = [*settings.missing(), *settings.not_for_production(environment)]
        if problems:
            sys.exit(f"{cls.__module__}: the settings of this bank are not complete:\n  " + "\n  ".join(problems))
        return settings

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable of a field."""
        return f"{cls.model_config.get('env_prefix') or ''}{field.upper()}"

    def missing(self) -> list[str]:
        """A sentence for each variable that is not set."""
        return [
            f"{' or '.join(self.variable(field) for field in fields)} is not set"
            for fields in self.REQUIRED
            if not any(_text(getattr(self, field)) for field in fields)
        ]

    def not_for_production(self, environment: "BankEnvironment") -> list[str]:
        """A sentence for each setting of a test system, where real money is meant."""
        if environment.environment != "production":
            return []
        url = _text(getattr(self, "url", ""))
        marks = [mark for mark in self.test_marks() if mark]
        reason = _not_a_real_bank(url)
        return ([f"{self.variable('url')}: {reason}"] if reason else []) + marks

    def test_marks(self) -> list[str]:
        """A sentence for each key that is known to be for testing."""
        return []


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")


def _not_a_real_bank(url: str) -> str | None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return "in production a bank is called by https alone"
    if "test" in host or "sandbox" in host or "." not in host or host.endswith((".local", ".internal", ".localhost")):
        return f"{host} is not a real bank's address, and this is production"
    try:
        public = ip_address(host).is_global
    except ValueError:
        public = True
    return None if public else f"{host} is not a real bank's address, and this is production"


class BankEnvironment(Settings):
    """What holds for the calls to every bank: bounds, trust, and whether real money is meant."""

    bank_ca_bundle: FilePath | None = None
    """File with the CA certificates that banks are verified with. Default: those of the system."""
    bank_connect_timeout_seconds: float = 1.5
    """Maximum time to connect to a bank."""
    bank_timeout_seconds: float = 4.0
    """Maximum duration of a call to a bank."""
    bank_pool_size: int = 8
    """Maximum number of connections to one bank."""
    bank_breaker_failures: int = 5
    """Number of consecutive failed calls that opens the circuit breaker of a bank."""
    bank_breaker_seconds: float = 10.0
    """Time for which an open circuit breaker rejects calls."""
