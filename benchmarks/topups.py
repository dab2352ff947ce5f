"""Top-ups written by SQL, as payments and the sandbox bank would write them, to fund the users of a measurement.

Each is in the databases of payments and of the bank, so that ``fastcheck audit`` has no findings afterwards.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

from benchmarks.system import System
from common.contracts.events import PaymentConfirmed, pack

_FIELDS: Final = """
    jsonb_to_recordset(%(topups)s::jsonb)
    AS t (topup_id uuid, user_id uuid, amount_minor bigint, payment_id text, order_id text)
"""

_OURS: Final = f"""
    INSERT INTO topups (topup_id, user_id, bank, amount_minor, currency, status, return_url, created_at, expires_at,
                        confirmed_at)
    SELECT topup_id, user_id, 'tbank', amount_minor, 'RUB', CASE WHEN %(paid)s THEN 'confirmed' ELSE 'pending' END,
           'http://localhost', now(), now() + interval '1 hour', CASE WHEN %(paid)s THEN now() END
      FROM {_FIELDS};
    INSERT INTO attempts (bank, bank_order_id, topup_id, attempt_no, state, bank_payment_id, payment_url)
    SELECT 'tbank', order_id, topup_id, 1, CASE WHEN %(paid)s THEN 'paid' ELSE 'payable' END, payment_id, 'http://bank'
      FROM {_FIELDS};
    INSERT INTO notifications (bank, source, bank_payment_id, bank_status, bank_order_id, amount_minor, currency,
                               topup_id, verdict)
    SELECT 'tbank', 'webhook', payment_id, 'CONFIRMED', order_id, amount_minor, 'RUB', topup_id, 'applied'
      FROM {_FIELDS} WHERE %(paid)s;
    INSERT INTO outbox (event_id, subscriber, type, payload, occurred_at)
    SELECT e.event_id, 'balance', e.type, e.payload, now()
      FROM jsonb_to_recordset(%(events)s::jsonb) AS e (event_id uuid, type text, payload jsonb);
    SELECT pg_notify('outbox', '');
"""  # noqa: S608  constants of this module

_THE_BANKS: Final = f"""
    INSERT INTO payments (protocol, public_id, order_id, amount_minor, currency, state, success_url, fail_url, page_key,
                          expires_at)
    SELECT 'tbank', payment_id, order_id, amount_minor, 'RUB', 'CONFIRMED', 'http://localhost', 'http://localhost',
           payment_id, now() + interval '1 hour'
      FROM {_FIELDS}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class TopUp:
    """A payment by card of one user, in minor units."""

    topup_id: UUID
    user_id: UUID
    amount_minor: int

    @classmethod
    def of(cls, user_id: UUID, amount_minor: int) -> "TopUp":
        return cls(uuid4(), user_id, amount_minor)

    def row(self) -> dict[str, object]:
        return {
            "topup_id": str(self.topup_id),
            "user_id": str(self.user_id),
            "amount_minor": self.amount_minor,
            "payment_id": f"B{self.topup_id.hex}",
            "order_id": self.topup_id.hex,
        }

    def notification(self, terminal_key: str, password: str) -> bytes:
        """Return T-Bank's signed notification of the payment (see ``services/payments/banks/tbank.py``)."""
        fields: dict[str, object] = {
            "Amount": self.amount_minor,
            "OrderId": self.topup_id.hex,
            "Password": password,
            "PaymentId": f"B{self.topup_id.hex}",
            "Status": "CONFIRMED",
            "TerminalKey": terminal_key,
        }
        token = sha256("".join(str(fields[name]) for name in sorted(fields)).encode()).hexdigest()
        del fields["Password"]
        return json.dumps({**fields, "Token": token}).encode()


def write(system: System, topups: Sequence[TopUp], *, paid: bool) -> None:
    """Write top-ups that are paid at the bank; with ``paid`` also as confirmed here, with their open events."""
    rows = json.dumps([topup.row() for topup in topups])
    now = datetime.now(UTC)
    envelopes = [
        pack(PaymentConfirmed(topup.topup_id, topup.user_id, "tbank", topup.amount_minor, "RUB", now))
        for topup in (topups if paid else ())
    ]
    events = [{"event_id": str(e.event_id), "type": e.type, "payload": e.payload} for e in envelopes]
    system.rows("sandbox_bank", _THE_BANKS, {"topups": rows})
    system.rows("payments", _OURS, {"topups": rows, "paid": paid, "events": json.dumps(events)})
