"""What the kit does to an adapter: its client, its seeding of accounts, its bursts."""

import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from flask import Flask
from werkzeug.test import Client

FUNDING: Final = "external:funding"
TIMEOUT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Kit:
    """Sends requests to an adapter, as the kit's universal adapter does. Safe to use from several threads."""

    app: Flask

    def reset(self) -> None:
        self._call("POST", "/_lck/reset", {})

    def seed(self, account: str, amount: int, currency: str = "USD") -> None:
        """Credit an account from outside."""
        assert self.transfer(FUNDING, account, amount, f"seed:{account}:{uuid4()}", currency) == "APPLIED"

    def transfer(self, source: str, target: str, amount: int, key: str, currency: str = "USD") -> str:
        """Move money; return the status."""
        return self.post(key, ("DEBIT", source, amount, currency), ("CREDIT", target, amount, currency))

    def post(self, key: str, *legs: tuple[str, str, int, str]) -> str:
        body = {
            "idempotencyKey": key,
            "transactionId": str(uuid4()),
            "allowOverdraft": False,
            "legs": [
                {"type": kind, "accountId": account, "amountSubunits": amount, "currency": currency}
                for kind, account, amount, currency in legs
            ],
        }
        answer = self._call("POST", "/_lck/post", body)
        assert set(answer) == {"status", "transactionId", "reason"}
        assert (answer["status"] == "REJECTED") == (answer["reason"] is not None)
        if answer["reason"]:
            sys.stdout.write(f"{key}: {answer['reason']}\n")  # shown when the test fails
        return str(answer["status"])

    def balance(self, account: str, currency: str = "USD") -> int:
        answer = self._call("GET", f"/_lck/balance?account={quote(account)}&currency={currency}")
        assert type(answer["subunits"]) is int
        return int(answer["subunits"])

    def journal(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self._call("GET", "/_lck/journal")
        return entries

    def replayed(self, account: str, currency: str = "USD") -> int:
        """Return the balance that the journal makes."""
        return sum(
            signed(entry) for entry in self.journal() if (entry["accountId"], entry["currency"]) == (account, currency)
        )

    def _call(self, method: str, path: str, body: object = None) -> Any:
        response = Client(self.app).open(path, method=method, json=body)
        assert response.status_code == 200, f"{method} {path}: {response.status_code} {response.text[:300]}"
        return response.get_json()


def signed(entry: dict[str, Any]) -> int:
    """Return the amount, positive for a credit."""
    amount: int = entry["amountSubunits"]
    return amount if entry["type"] == "CREDIT" else -amount


def fingerprint(journal: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return what must not change about each entry."""
    return [(e["transactionId"], e["accountId"], e["type"], e["amountSubunits"], e["currency"]) for e in journal]


def burst(count: int, work: Callable[[int], str]) -> Counter[str]:
    """Run ``work`` so many times, all started at once; return how often it returned each status."""
    start = threading.Barrier(count)

    def one(number: int) -> str:
        start.wait(timeout=TIMEOUT_SECONDS)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(one, range(count)))
