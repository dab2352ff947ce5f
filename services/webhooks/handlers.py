"""Event handlers. Each writes the messages of a batch of events of one type in the inbox's transaction."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection

from common.bus.inbox import Handler
from common.contracts.events import CheckAccepted, CheckCancelled, CheckCreated, CheckExpired, PaymentConfirmed
from common.core.clock import Clock
from services.webhooks import messages, service
from services.webhooks.models import Message

_MESSAGES_OF: Final[Mapping[str, Callable[[Any], Iterable[Message]]]] = {
    CheckCreated.TYPE: messages.of_created,
    CheckAccepted.TYPE: messages.of_accepted,
    CheckExpired.TYPE: messages.of_expired,
    CheckCancelled.TYPE: messages.of_cancelled,
    PaymentConfirmed.TYPE: messages.of_confirmed,
}


def handlers(clock: Clock) -> dict[str, Handler]:
    """Return the handler of each type of event."""
    return {name: partial(_write, clock, messages_of) for name, messages_of in _MESSAGES_OF.items()}


def _write(
    clock: Clock, messages_of: Callable[[Any], Iterable[Message]], tx: Connection, events: Sequence[Any]
) -> None:
    service.add_messages(tx, list(chain.from_iterable(map(messages_of, events))), now=clock.now())
