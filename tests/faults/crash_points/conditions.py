"""What is different in a process that a flow or a test starts: adverse conditions, and defects of the catalogue.

Each change patches one process after its fork and lasts until that process ends.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Final
from unittest.mock import patch
from uuid import uuid4

from common.contracts.events import PaymentConfirmed
from common.core.grouping import GroupRunner
from services.balance.handlers import HANDLERS
from services.sandbox_bank import service as bank
from services.sandbox_bank.errors import WrongState
from tests.faults.defects import DEFECTS, Target

#: Maximum wait of a leader for its group. Longer than a busy machine takes to deliver concurrent requests.
GATHER_SECONDS: Final = 4.0
_POLL_INTERVAL_SECONDS: Final = 0.002

#: Keeps the patches of this process.
_planted = ExitStack()


def apply(names: Sequence[str], bus: Any) -> None:
    """Apply conditions and defects by name. ``bus`` maps a service to its bus process."""
    for name in names:
        if name in CONDITIONS:
            CONDITIONS[name]()
        else:
            _planted.enter_context(DEFECTS[name].plant(Target(bus["balance"].app, bus["balance"].keys, uuid4)))


def _bank_refuses_refunds() -> None:
    def refuse(*_: object) -> None:
        raise WrongState

    patch.object(bank, bank._refund_payment.__name__, refuse).start()


def _payment_handler_fails() -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted failure of this handler")

    patch.dict(HANDLERS, {PaymentConfirmed.TYPE: fail}).start()


def _groups_of(size: int) -> None:
    """Let every request join a group, and each leader wait for a group of this size."""
    submit, lead = GroupRunner.submit, GroupRunner._lead

    def submit_to_a_group(runner: Any, *arguments: Any) -> Any:
        runner._ungrouped = 0
        return submit(runner, *arguments)

    def lead_when_complete(runner: Any, *arguments: Any) -> None:
        deadline = time.monotonic() + GATHER_SECONDS
        while len(runner._queue) < size and time.monotonic() < deadline:
            time.sleep(_POLL_INTERVAL_SECONDS)
        lead(runner, *arguments)

    patch.object(GroupRunner, "submit", submit_to_a_group).start()
    patch.object(GroupRunner, "_lead", lead_when_complete).start()


CONDITIONS: Final[dict[str, Callable[[], None]]] = {
    "bank refuses refunds": _bank_refuses_refunds,
    "payment handler fails": _payment_handler_fails,
    "groups of 2": partial(_groups_of, 2),
    "groups of 17": partial(_groups_of, 17),
}
