"""T-Bank's notifications and tokens, on the server side (developer.tbank.ru/eacq)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

from services.sandbox_bank.faults import Fault
from services.sandbox_bank.models import DECLINED_CARD, PAYING_CARD, Message, Payment, Refund, State

NAME: Final = "tbank"
#: Error code of a declined card: insufficient funds.
DECLINED_CODE: Final = "1051"


def sign(fields: Mapping[str, object], password: str) -> str:
    """Return the SHA-256 token: over the root's scalar values and the password, in the order of their keys."""
    parts: dict[str, str] = {}
    for key, value in fields.items():
        if key == "Token" or value is None or isinstance(value, dict | list):
            continue
        parts[key] = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    # Set last, so that a request cannot override the password.
    parts["Password"] = password
    joined = "".join(value for _, value in sorted(parts.items()))
    return hashlib.sha256(joined.encode("utf-8")).hexdigest()


class TBankWire:
    """Notifications of a terminal."""

    name = NAME
    #: Hourly for a day, then daily for a month.
    max_attempts = 54

    def __init__(self, terminal_key: str, password: str) -> None:
        self._terminal_key = terminal_key
        self._password = password

    def labels(self, before: State, after: State) -> Sequence[str]:
        # A one-stage payment is authorized and confirmed at once; the bank sends both notifications at the same time.
        if before is State.NEW and after is State.CONFIRMED:
            return (State.AUTHORIZED.value, State.CONFIRMED.value)
        return (after.value,)

    def message(
        self,
        payment: Payment,
        label: str,
        *,
        amount_minor: int,
        refund: Refund | None,  # noqa: ARG002  the protocol names no refunds
        spoilt: frozenset[Fault],
    ) -> Message | None:
        if payment.notify_url is None:
            return None
        declined = label == State.REJECTED
        fields: dict[str, object] = {
            "TerminalKey": self._terminal_key + ("X" if Fault.WRONG_TERMINAL in spoilt else ""),
            "OrderId": payment.order_id,
            "Success": label not in (State.REJECTED, State.DEADLINE_EXPIRED),
            "Status": label,
            "PaymentId": int(payment.public_id),
            "ErrorCode": DECLINED_CODE if declined else "0",
            "Amount": amount_minor,
        }
        if label in (State.AUTHORIZED, State.CONFIRMED, State.REJECTED):
            card = DECLINED_CARD if declined else PAYING_CARD
            fields |= {"CardId": 1, "Pan": f"{card[:6]}******{card[-4:]}", "ExpDate": "1230"}
        fields["Token"] = sign(fields, self._password + ("x" if Fault.WRONG_SIGNATURE in spoilt else ""))
        return Message(label, "POST", payment.notify_url, "application/json", json.dumps(fields).encode(), wants="OK")

    def return_url(self, payment: Payment, *, paid: bool) -> str:
        return payment.success_url if paid else payment.fail_url
