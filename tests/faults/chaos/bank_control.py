"""Control the sandbox bank's faults, and send forged notifications in its name."""

import base64
import random
from pathlib import Path
from typing import Any, Final

from launcher import stored_credentials
from launcher.data_dir import DataDir
from tests.faults.chaos.databases import Databases
from tests.faults.connection import Connection, NoResponse
from tests.support.system import RunningSystem

TIMEOUT_SECONDS: Final = 10.0

#: The latest unpaid orders with their amounts.
_UNPAID: Final = """
    SELECT a.bank_order_id, COALESCE(a.bank_payment_id, '1'), t.amount_minor
      FROM attempts a JOIN topups t USING (topup_id)
     WHERE t.status <> 'confirmed'
     ORDER BY t.created_at DESC LIMIT 10
"""


class BankControl:
    """Acts at the sandbox bank as its operator, and at the gateway as an unauthenticated caller."""

    def __init__(self, system: RunningSystem) -> None:
        self._system = system
        secrets = stored_credentials.load(DataDir(Path(system.data_dir)))
        if secrets is None:
            raise RuntimeError("the system has no credentials")
        self._terminal = secrets.tbank_terminal_key
        pair = f"{secrets.tbank_terminal_key}:{secrets.tbank_password}"
        self._authorization = "Basic " + base64.b64encode(pair.encode()).decode()

    def set_plan(self, plan: object) -> bool:
        """Set the faults of the next orders; return False without a response of the bank."""
        connection = Connection(self._system.url("sandbox_bank-web"))
        headers = {"Authorization": self._authorization}
        body = {"plan": plan}
        try:
            response = connection.request(
                "PUT", "/admin/faults", body, headers=headers, timeout_seconds=TIMEOUT_SECONDS
            )
        except NoResponse:
            return False
        finally:
            connection.close()
        return response.status == 204

    def forge(self, choice: int) -> tuple[int, int]:
        """Report unpaid orders as paid, without the password; return how many were sent and accepted.

        A notification is accepted if the response is 200, as for the bank's own notifications.
        """
        rng = random.Random(choice)
        sent = accepted = 0
        gateway = Connection(self._system.gateway_url)
        for order_id, payment_id, amount in self._unpaid():
            body = {
                "TerminalKey": self._terminal,
                "OrderId": order_id,
                "Success": True,
                "Status": "CONFIRMED",
                "PaymentId": int(payment_id),
                "ErrorCode": "0",
                "Amount": amount,
                "Token": rng.choice(("", "0" * 64, rng.randbytes(32).hex())),
            }
            try:
                response = gateway.request("POST", "/bank/webhook/tbank", body, timeout_seconds=TIMEOUT_SECONDS)
            except NoResponse:
                continue
            sent += 1
            accepted += response.status == 200
        gateway.close()
        return sent, accepted

    def _unpaid(self) -> list[tuple[Any, ...]]:
        databases = Databases(self._system)
        try:
            return databases.rows("payments", _UNPAID)
        finally:
            databases.close()
