"""The demo's scenario. Each step performs one action and checks its complete effect."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from launcher.demo.bank_page import pay
from launcher.demo.failure import check
from launcher.demo.shapes import check_active, check_history
from launcher.demo.user import DemoUser, wait_until

TOP_UP: Final = 100_000
FOR_BORIS: Final = 15_000
TO_CANCEL: Final = 20_000
TO_EXPIRE: Final = 5_000

#: Beyond its lifetime an expired check waits for the next sweep, and its money for the bus.
EXPIRY_TIMEOUT_SECONDS: Final = 45.0


@dataclass
class Scenario:
    """Anna tops up and creates checks; Boris accepts one."""

    url: str
    lifetime_seconds: int
    anna: DemoUser = field(init=False)
    boris: DemoUser = field(init=False)
    #: Anna's checks by what becomes of them.
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.anna, self.boris = DemoUser("Anna", self.url), DemoUser("Boris", self.url)

    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        """Return title and action of each step; an action returns a remark for the screen."""
        return [
            ("A stranger without a session is turned away", self.turn_stranger_away),
            ("Anna and Boris register", self.register),
            (f"Anna pays {roubles(TOP_UP)} by card at the sandbox bank", self.top_up),
            ("The bank's signed notification has arrived, and Anna's balance shows the money", self.receive_money),
            (f"Anna writes checks of {', '.join(map(roubles, (FOR_BORIS, TO_CANCEL, TO_EXPIRE)))}", self.write_checks),
            ("Boris mistypes the code and is refused", self.mistype),
            (f"Boris accepts the check of {roubles(FOR_BORIS)} with its number and code", self.accept),
            ("A second use of the same check is refused", self.accept_again),
            (f"Anna cancels the check of {roubles(TO_CANCEL)}", self.cancel),
            (f"The check of {roubles(TO_EXPIRE)} expires by the schedule, and Anna has the money again", self.expire),
            ("Both see their lists as the source document shows them", self.compare_lists),
        ]

    def turn_stranger_away(self) -> str:
        answer = DemoUser("Stranger", self.url).call("GET", "/balance", status=401)
        check(answer == {"message": "not authorized"}, f"the refusal says {answer}")
        return '401 {"message": "not authorized"}'

    def register(self) -> str:
        for user in (self.anna, self.boris):
            user.register()
            user.has(0)
        return f"{self.anna.login}, {self.boris.login}"

    def top_up(self) -> str:
        return_url = f"{self.url}/?topup=done"
        topup = self.anna.move("/topup", {"amount": TOP_UP, "returnUrl": return_url}, 201)
        check(topup["status"] == "pending", f"a new top-up is {topup['status']!r}")
        self.anna.has(0)
        back_at = pay(topup["paymentUrl"], return_url)
        self._topup_id = topup["transactionID"]
        return f"form posted, sent back to {back_at}"

    def receive_money(self) -> str:
        path = f"/topup/{self._topup_id}"
        wait_until("the top-up is confirmed", lambda: self.anna.call("GET", path)["status"] == "confirmed")
        wait_until("the balance has grown", lambda: self.anna.balance() == TOP_UP)
        return roubles(TOP_UP)

    def write_checks(self) -> str:
        for fate, amount, more in (
            ("accepted", FOR_BORIS, {}),
            ("cancelled", TO_CANCEL, {}),
            ("expired", TO_EXPIRE, {"expiresIn": self.lifetime_seconds}),
        ):
            self.checks[fate] = self.anna.write_check(amount, **more)
            check_active(self.checks[fate])
        self.anna.has(TOP_UP - FOR_BORIS - TO_CANCEL - TO_EXPIRE)
        for item in (active := self.anna.active()):
            check_active(item)
        check(active == list(reversed(self.checks.values())), f"the active list is {active}")
        return "GET /fastcheck/active shows\n" + "\n".join(map(json.dumps, active))

    def mistype(self) -> str:
        item = self.checks["accepted"]
        wrong = f"{(int(item['code']) + 1) % 10_000:04d}"
        refusal = self.boris.move("/fastcheck/accept", {"fastcheck": item["fastcheck"], "code": wrong}, 404)
        check(refusal.get("code") == "check_not_found", f"the refusal says {refusal}")
        self.boris.has(0)
        return f"404 {refusal['code']}"

    def accept(self) -> str:
        item = self.checks["accepted"]
        body = {"fastcheck": item["fastcheck"], "code": item["code"]}
        answer = self.boris.move("/fastcheck/accept", body)
        check(answer["status"] == "used" and answer["amount"] == FOR_BORIS, f"the answer says {answer}")
        self.boris.has(FOR_BORIS)
        return f"the very next GET /balance shows {roubles(FOR_BORIS)}"

    def accept_again(self) -> str:
        item = self.checks["accepted"]
        body = {"fastcheck": item["fastcheck"], "code": item["code"]}
        refusal = self.boris.move("/fastcheck/accept", body, 409)
        check(refusal.get("code") == "check_used", f"the refusal says {refusal}")
        self.boris.has(FOR_BORIS)
        return f"409 {refusal['code']}"

    def cancel(self) -> str:
        answer = self.anna.move(f"/fastcheck/{self.checks['cancelled']['fastcheck']}/cancel")
        check(answer["status"] == "cancelled", f"the answer says {answer}")
        left = self.anna.balance()
        # The third check may have expired meanwhile; the cancelled one's money must be there now.
        check(left in (TOP_UP - FOR_BORIS - TO_EXPIRE, TOP_UP - FOR_BORIS), f"Anna's balance is {left}")
        return f"{roubles(TO_CANCEL)} came back at once"

    def expire(self) -> str:
        patience = self.lifetime_seconds + EXPIRY_TIMEOUT_SECONDS
        wait_until("the money has come back", lambda: self.anna.balance() == TOP_UP - FOR_BORIS, patience)
        check(self.anna.active() == [], "Anna still has an active check")
        item = self.checks["expired"]
        body = {"fastcheck": item["fastcheck"], "code": item["code"]}
        refusal = self.boris.move("/fastcheck/accept", body, 410)
        check(refusal.get("code") == "check_expired", f"the refusal says {refusal}")
        return f"{roubles(TO_EXPIRE)} came back; accepting it now: 410 {refusal['code']}"

    def compare_lists(self) -> str:
        self.anna.has(TOP_UP - FOR_BORIS)
        self.boris.has(FOR_BORIS)
        shown = []
        for user in (self.anna, self.boris):
            check(user.active() == [], f"{user.name} has an active check")
            shown.append(f"{user.name}: GET /balance {json.dumps(user.call('GET', '/balance'))}")
            shown.append(f'{user.name}: GET /fastcheck/active {{"checks": []}}')
            for item in user.history():
                check_history(item)
                shown.append(f"{user.name}: in GET /fastcheck/history {json.dumps(item)}")
        created = {item["fastcheck"]: item["status"] for item in self.anna.history()}
        expected = {
            self.checks["accepted"]["fastcheck"]: "used",
            self.checks["cancelled"]["fastcheck"]: "cancelled",
            self.checks["expired"]["fastcheck"]: "expired",
        }
        check(created == expected, f"Anna's history says {created}")
        accepted = [(item["type"], item["fastcheck"]) for item in self.boris.history()]
        check(accepted == [("accepted", self.checks["accepted"]["fastcheck"])], f"Boris's history says {accepted}")
        return "\n".join(shown)


def roubles(amount_minor: int) -> str:
    """As people write it: 1 000.00 ₽."""
    return f"{amount_minor // 100:,}.{amount_minor % 100:02d} ₽".replace(",", "\N{NO-BREAK SPACE}")
