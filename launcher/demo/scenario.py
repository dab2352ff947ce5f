"""The demo's scenario. Each step performs one action and checks its complete effect."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from launcher.demo.bank_page import pay
from launcher.demo.failure import check
from launcher.demo.shapes import check_active, check_history
from launcher.demo.user import DemoUser, wait_until

TOP_UP: Final = 100_000
TO_ACCEPT: Final = 15_000
TO_CANCEL: Final = 20_000
TO_EXPIRE: Final = 5_000
AMOUNTS: Final = (TO_ACCEPT, TO_CANCEL, TO_EXPIRE)

#: Maximum time from the expiration of a check until the sweep and the bus have returned its money, in seconds.
EXPIRY_TIMEOUT_SECONDS: Final = 45.0


@dataclass
class Scenario:
    """Alice tops up and creates checks; Bob accepts one."""

    url: str
    lifetime_seconds: int
    #: PEM file of the CA that signs the certificates of the gateway and the sandbox bank. Default: the public CAs.
    ca: Path | None = None
    alice: DemoUser = field(init=False)
    bob: DemoUser = field(init=False)
    #: Alice's checks by their final status.
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.alice, self.bob = (DemoUser(name, self.url, self.ca) for name in ("Alice", "Bob"))

    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        """Return title and action of each step; an action returns a remark for the screen."""
        return [
            ("A request without a session is rejected", self.request_without_session),
            ("Alice and Bob register", self.register),
            (f"Alice pays {roubles(TOP_UP)} by card at the sandbox bank", self.top_up),
            ("The bank's signed notification arrives, and Alice's balance shows the money", self.receive_money),
            (
                f"Alice creates checks of {', '.join(map(roubles, AMOUNTS))}",
                self.create_checks,
            ),
            ("Bob enters a wrong code and is rejected", self.enter_wrong_code),
            (f"Bob accepts the check of {roubles(TO_ACCEPT)} with its number and code", self.accept),
            ("A second accept of the same check is rejected", self.accept_again),
            (f"Alice cancels the check of {roubles(TO_CANCEL)}", self.cancel),
            (f"The check of {roubles(TO_EXPIRE)} expires by the schedule, and its money returns to Alice", self.expire),
            ("The lists of both users have the documented format", self.compare_lists),
        ]

    def request_without_session(self) -> str:
        response = DemoUser("Guest", self.url, self.ca).call("GET", "/balance", status=401)
        check(response == {"message": "not authorized"}, f"the response is {response}")
        return '401 {"message": "not authorized"}'

    def register(self) -> str:
        for user in (self.alice, self.bob):
            user.register()
            user.has(0)
        return f"{self.alice.login}, {self.bob.login}"

    def top_up(self) -> str:
        return_url = f"{self.url}/?topup=done"
        topup = self.alice.post("/topup", {"amount": TOP_UP, "returnUrl": return_url}, 201)
        check(topup["status"] == "pending", f"a new top-up is {topup['status']!r}")
        self.alice.has(0)
        back_at = pay(topup["paymentUrl"], return_url, ca=self.ca)
        self._topup_id = topup["transactionID"]
        return f"form posted, redirected to {back_at}"

    def receive_money(self) -> str:
        path = f"/topup/{self._topup_id}"
        wait_until("the top-up is confirmed", lambda: self.alice.call("GET", path)["status"] == "confirmed")
        wait_until("the balance includes the top-up", lambda: self.alice.balance() == TOP_UP)
        return roubles(TOP_UP)

    def create_checks(self) -> str:
        for ending, amount, more in (
            ("accepted", TO_ACCEPT, {}),
            ("cancelled", TO_CANCEL, {}),
            ("expired", TO_EXPIRE, {"expiresIn": self.lifetime_seconds}),
        ):
            self.checks[ending] = self.alice.create_check(amount, **more)
            check_active(self.checks[ending])
        self.alice.has(TOP_UP - TO_ACCEPT - TO_CANCEL - TO_EXPIRE)
        for item in (active := self.alice.active()):
            check_active(item)
        check(active == list(reversed(self.checks.values())), f"the active list is {active}")
        return "GET /fastcheck/active shows\n" + "\n".join(map(json.dumps, active))

    def enter_wrong_code(self) -> str:
        item = self.checks["accepted"]
        wrong = f"{(int(item['code']) + 1) % 10_000:04d}"
        refusal = self.bob.post("/fastcheck/accept", {"fastcheck": item["fastcheck"], "code": wrong}, 404)
        check(refusal.get("code") == "check_not_found", f"the response is {refusal}")
        self.bob.has(0)
        return f"404 {refusal['code']}"

    def accept(self) -> str:
        item = self.checks["accepted"]
        body = {"fastcheck": item["fastcheck"], "code": item["code"]}
        response = self.bob.post("/fastcheck/accept", body)
        check(response["status"] == "used" and response["amount"] == TO_ACCEPT, f"the response is {response}")
        self.bob.has(TO_ACCEPT)
        return f"the next GET /balance shows {roubles(TO_ACCEPT)}"

    def accept_again(self) -> str:
        item = self.checks["accepted"]
        body = {"fastcheck": item["fastcheck"], "code": item["code"]}
        refusal = self.bob.post("/fastcheck/accept", body, 409)
        check(refusal.get("code") == "check_used", f"the response is {refusal}")
        self.bob.has(TO_ACCEPT)
        return f"409 {refusal['code']}"

    def cancel(self) -> str:
        response = self.alice.post(f"/fastcheck/{self.checks['cancelled']['fastcheck']}/cancel")
        check(response["status"] == "cancelled", f"the response is {response}")
        balance = self.alice.balance()
        # The third check may have expired meanwhile; the money of the cancelled one must be back.
        check(balance in (TOP_UP - TO_ACCEPT - TO_EXPIRE, TOP_UP - TO_ACCEPT), f"Alice's balance is {balance}")
        return f"{roubles(TO_CANCEL)} returned at once"

    def expire(self) -> str:
        timeout_seconds = self.lifetime_seconds + EXPIRY_TIMEOUT_SECONDS
        wait_until("the money has returned", lambda: self.alice.balance() == TOP_UP - TO_ACCEPT, timeout_seconds)
        check(self.alice.active() == [], "Alice still has an active check")
        item = self.checks["expired"]
        body = {"fastcheck": item["fastcheck"], "code": item["code"]}
        refusal = self.bob.post("/fastcheck/accept", body, 410)
        check(refusal.get("code") == "check_expired", f"the response is {refusal}")
        return f"{roubles(TO_EXPIRE)} returned; accepting the check now: 410 {refusal['code']}"

    def compare_lists(self) -> str:
        self.alice.has(TOP_UP - TO_ACCEPT)
        self.bob.has(TO_ACCEPT)
        shown = []
        for user in (self.alice, self.bob):
            check(user.active() == [], f"{user.name} has an active check")
            shown.append(f"{user.name}: GET /balance {json.dumps(user.call('GET', '/balance'))}")
            shown.append(f'{user.name}: GET /fastcheck/active {{"checks": []}}')
            for item in user.history():
                check_history(item)
                shown.append(f"{user.name}: in GET /fastcheck/history {json.dumps(item)}")
        created = {item["fastcheck"]: item["status"] for item in self.alice.history()}
        expected = {
            self.checks["accepted"]["fastcheck"]: "used",
            self.checks["cancelled"]["fastcheck"]: "cancelled",
            self.checks["expired"]["fastcheck"]: "expired",
        }
        check(created == expected, f"Alice's history is {created}")
        accepted = [(item["type"], item["fastcheck"]) for item in self.bob.history()]
        check(accepted == [("accepted", self.checks["accepted"]["fastcheck"])], f"Bob's history is {accepted}")
        return "\n".join(shown)


def roubles(amount_minor: int) -> str:
    """Format an amount: 1 000.00 ₽."""
    return f"{amount_minor // 100:,}.{amount_minor % 100:02d} ₽".replace(",", "\N{NO-BREAK SPACE}")
