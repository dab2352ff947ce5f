"""Callbacks of the RBS gateway (Sber, Alfa-Bank and others), on the server side."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.sandbox_bank.faults import Fault
from services.sandbox_bank.models import Message, Payment, Refund, State

NAME: Final = "sber"

#: The operations of a change of state, each with its success flag.
OPERATIONS: Final[Mapping[State, Sequence[str]]] = {
    State.CONFIRMED: ("approved:1", "deposited:1"),
    State.REJECTED: ("deposited:0",),
    State.CANCELED: ("declinedByTimeout:1",),
    State.DEADLINE_EXPIRED: ("declinedByTimeout:1",),
    State.REVERSED: ("reversed:1",),
    State.PARTIAL_REFUNDED: ("refunded:1",),
    State.REFUNDED: ("refunded:1",),
}


class SberWire:
    """Callbacks of a merchant, signed with the private key, or with the secret, or not at all."""

    name = NAME
    #: The bank stops after three failures; it leaves 30 seconds between them.
    max_attempts = 3

    def __init__(self, secret: str, private_key_pem: str) -> None:
        self._secret = secret
        self._private_key = _load(private_key_pem) if private_key_pem else None

    def labels(self, before: State, after: State) -> Sequence[str]:  # noqa: ARG002  the protocol's shape
        return OPERATIONS[after]

    def message(
        self,
        payment: Payment,
        label: str,
        *,
        amount_minor: int,
        refund: Refund | None,  # noqa: ARG002  callbacks name no refund
        spoilt: frozenset[Fault],
    ) -> Message | None:
        if payment.notify_url is None:
            return None
        operation, status = label.split(":")
        fields = {
            "mdOrder": payment.public_id,
            "orderNumber": f"{payment.order_id}{'X' if Fault.WRONG_TERMINAL in spoilt else ''}",
            "operation": operation,
            "status": status,
        }
        if Fault.WRONG_AMOUNT in spoilt:
            fields["amount"] = str(amount_minor)
        fields |= self._signature(fields, wrong=Fault.WRONG_SIGNATURE in spoilt)
        joint = "&" if "?" in payment.notify_url else "?"
        url = f"{payment.notify_url}{joint}{urlencode(fields)}"
        return Message(label, "GET", url, "text/plain", b"")

    def return_url(self, payment: Payment, *, paid: bool) -> str:
        url = payment.success_url if paid else payment.fail_url
        return f"{url}{'&' if '?' in url else '?'}{urlencode({'orderId': payment.public_id, 'lang': 'ru'})}"

    def _signature(self, fields: Mapping[str, str], *, wrong: bool) -> dict[str, str]:
        text = "".join(f"{name};{value};" for name, value in sorted(fields.items())) + ("x" if wrong else "")
        if self._private_key is not None:
            signature = self._private_key.sign(text.encode(), padding.PKCS1v15(), SHA512())
            # The real gateway sends this alias although it signs with SHA-512.
            return {"checksum": signature.hex().upper(), "sign_alias": "SHA-256 with RSA"}
        if self._secret:
            return {"checksum": hmac.new(self._secret.encode(), text.encode(), hashlib.sha256).hexdigest().upper()}
        return {}


def _load(pem: str) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("FASTCHECK_SANDBOX_BANK_SBER_PRIVATE_KEY is not an RSA key")
    return key
