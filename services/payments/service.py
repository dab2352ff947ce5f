"""Use cases of top-ups. No transaction is open while a bank is being asked."""

from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from common.core.logging import get_logger
from common.db.idempotency import IdempotencyKey
from common.http.server.paging import Page, decode_cursor, page_of
from services.payments import opening, poll_repository, repository
from services.payments.banks.base import UNDECIDED, BankError, BankUnavailable
from services.payments.config import origin_of
from services.payments.context import Context
from services.payments.errors import CurrencyNotAccepted, ReturnUrlNotAllowed, TopUpNotFound
from services.payments.models import TopUp, order_of
from services.payments.notifications.repository import Evidence
from services.payments.notifications.service import apply_notification
from services.payments.opening import Opened, WantedTopUp
from services.payments.repository import Located

log = get_logger(__name__)

_NO_CURSOR: Final = 2**63 - 1
#: A browser's return asks the bank at most once in so long per top-up, whoever calls the address.
RETURN_POLL_SECONDS: Final = 2


def start_topup(context: Context, wanted: WantedTopUp, key: IdempotencyKey | None) -> Opened:
    """Make a top-up and a payment for it at the bank; the same key gives the same one.

    Raises ReturnUrlNotAllowed, CurrencyNotAccepted, TopUpUnavailable (ask again with the same key),
    TopUpRefusedByBank, and what idempotency keys raise.
    """
    try:
        origin = origin_of(wanted.return_url)
    except ValueError:
        origin = ""
    if origin not in context.settings.allowed_return_origins:
        raise ReturnUrlNotAllowed(errors={"returnUrl": "is not on the list of allowed origins"})
    if wanted.currency not in context.settings.currencies:
        raise CurrencyNotAccepted(errors={"currency": "is not accepted for top-ups"})
    return opening.open_topup(context, wanted, uuid4(), key)


def get_topup(context: Context, topup_id: UUID, user_id: UUID) -> TopUp:
    """One of the user's own; raises TopUpNotFound."""
    with context.db.autocommit() as tx:
        topup = repository.find_of_user(tx, topup_id, user_id)
    if topup is None:
        raise TopUpNotFound
    return topup


def list_topups(context: Context, user_id: UUID, limit: int, cursor: str | None) -> Page[TopUp]:
    """A page of the user's top-ups, newest first; raises InvalidRequest for a foreign cursor."""
    before_no = int(str(decode_cursor(cursor, int)[0])) if cursor else _NO_CURSOR
    with context.db.autocommit() as tx:
        found = repository.list_of_user(tx, user_id, before_no=before_no, limit=limit + 1)
    return page_of(found, limit, lambda topup: (topup.topup_no,))


def return_browser(context: Context, topup_id: UUID) -> str:
    """The browser is back from the bank: ask the bank how it went, and say where the browser goes on.

    Changes no money by itself. Raises TopUpNotFound.
    """
    now = context.clock.now()
    with context.db.autocommit() as tx:
        found = repository.find(tx, topup_id)
        if found is None:
            raise TopUpNotFound
        may_ask = found.attempt.payment_url is not None and poll_repository.take_turn(
            tx, topup_id, now=now, busy_until=now + timedelta(seconds=RETURN_POLL_SECONDS)
        )
    if may_ask:
        try:
            ask_bank(context, found, source="return")
        except BankError as error:
            # The browser must not wait for a bank that is away: the schedule asks again.
            log.warning("bank not asked on return", bank=found.topup.bank, error=str(error))
    return found.topup.return_url


def ask_bank(context: Context, found: Located, *, source: str) -> str:
    """Ask the bank about one attempt and take its word; returns the verdict, or what the bank says instead of an end.

    Raises BankUnavailable or PaymentNotFound.
    """
    bank = context.banks.get(found.topup.bank)
    if bank is None:
        raise BankUnavailable(f"{found.topup.bank} is switched off")
    said = bank.fetch_status(order_of(found.topup, found.attempt, context.settings.topup_description))
    if said.status in UNDECIDED:
        return f"the bank says {said.bank_status}"
    return apply_notification(context, bank, said, Evidence(source)).value
