"""What is different in a process that a flow or a test starts: adverse conditions, and defects of the catalogue.

Each change patches one process after its fork and lasts until that process ends.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final
from unittest.mock import patch
from uuid import uuid4

from common.contracts.events import PaymentConfirmed
from services.balance.handlers import HANDLERS
from services.sandbox_bank import service as bank
from services.sandbox_bank.errors import WrongState
from tests.faults.defects import DEFECTS, Target

#: Keeps the patches of this process.
_planted = ExitStack()


def apply(names: Sequence[str], bus: Any) -> None:
    """Apply conditions and defects by name. ``bus`` maps a service to its bus process."""
    for name in names:
        if name in CONDITIONS:
            CONDITIONS[name]()
        else:
            _planted.enter_context(DEFECTS[name].plant(Target(bus["balance"].app, uuid4)))


def _bank_refuses_refunds() -> None:
    def refuse(*_: object) -> None:
        raise WrongState

    patch.object(bank, bank._refund_payment.__name__, refuse).start()


def _payment_handler_fails() -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted failure of this handler")

    patch.dict(HANDLERS, {PaymentConfirmed.TYPE: fail}).start()


CONDITIONS: Final[dict[str, Callable[[], None]]] = {
    "bank refuses refunds": _bank_refuses_refunds,
    "payment handler fails": _payment_handler_fails,
}
