"""What the kit does to an adapter, in our own words: its client, its seeding of accounts, its bursts."""

import http.client
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import uuid4

FUNDING: Final = "external:funding"
TIMEOUT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Kit:
    """Speaks to an adapter over HTTP, one connection per call, as the kit's universal adapter does."""

    url: str

    def reset(self) -> None:
        self._call("POST", "/_lck/reset", {})

    def seed(self, account: str, amount: int, currency: str = "USD") -> None:
        """Money from outside; must be applied."""
        assert self.transfer(FUNDING, account, amount, f"seed:{account}:{uuid4()}", currency) == "APPLIED"

    def transfer(self, source: str, target: str, amount: int, key: str, currency: str = "USD") -> str:
        """Move money; returns the status."""
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
        """The balance, from the journal alone."""
        return sum(
            signed(entry) for entry in self.journal() if (entry["accountId"], entry["currency"]) == (account, currency)
        )

    def _call(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=TIMEOUT_SECONDS)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, f"{method} {path}: {answer.status} {content[:300]!r}"
            return json.loads(content)
        finally:
            connection.close()


def signed(entry: dict[str, Any]) -> int:
    """Positive for what an account gets."""
    amount: int = entry["amountSubunits"]
    return amount if entry["type"] == "CREDIT" else -amount


def fingerprint(journal: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What must not change about an entry."""
    return [(e["transactionId"], e["accountId"], e["type"], e["amountSubunits"], e["currency"]) for e in journal]


def burst(count: int, work: Callable[[int], str]) -> Counter[str]:
    """Do it so many times, all started at once; return how often each status was returned."""
    start = threading.Barrier(count)

    def one(number: int) -> str:
        start.wait(timeout=TIMEOUT_SECONDS)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(one, range(count)))
