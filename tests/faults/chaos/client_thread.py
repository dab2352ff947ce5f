"""What the clients do: top up, create, accept, cancel, change codes, let expire, and look at what they have."""

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.faults.chaos import bank_visit
from tests.faults.chaos.client import Client
from tests.faults.chaos.market import Offer

#: Lives in seconds: until the sweep comes, until its clock is set forward by so much, and for long.
SHORT_LIVES: Final = (1, 2, 3, 5)
LONG_LIVES: Final = (3_600, 86_400, 7 * 86_400, 30 * 86_400)
SHORT_SHARE: Final = 0.2
MOST_CHECKS_KEPT: Final = 40
AGAIN_SHARE: Final = 0.03

#: Top-ups are told apart by their amounts: each of a client's is one kopeck more than the one before.
TOPUP_BASE: Final = 400_000
MORE_THAN_ANYBODY_HAS: Final = 10**11


@dataclass(frozen=True, slots=True)
class Held:
    """A check of the client's own that he may still cancel. ``is_given``: somebody has its code already."""

    number: str
    code: str
    amount: int
    is_given: bool = False


class Person(threading.Thread):
    """One client at work. ``idle`` is set while he has nothing under way."""

    def __init__(self, client: Client, number: int) -> None:
        super().__init__(name=client.name, daemon=True)
        self.idle = threading.Event()
        self.error: BaseException | None = None
        self._client = client
        self._number = number
        self._rng = client.rng
        self._held: deque[Held] = deque(maxlen=MOST_CHECKS_KEPT)
        self._topups = 0
        self._is_poor = True

    def run(self) -> None:
        pace = self._client.world.pace
        try:
            while not pace.over.is_set():
                if not pace.working.is_set():
                    self.idle.set()
                    pace.working.wait(0.2)
                    continue
                self.idle.clear()
                self._act()
                pace.over.wait(self._rng.expovariate(pace.rate_per_client))
        except BaseException as error:  # the harness is at fault, and the run must say so
            self.error = error
            raise
        finally:
            self.idle.set()

    def _act(self) -> None:
        chance = self._rng.random()
        if self._is_poor or chance < 0.07:
            self._top_up()
        elif chance < 0.40:
            self._create()
        elif chance < 0.80:
            self._accept()
        elif chance < 0.88:
            self._cancel()
        elif chance < 0.92:
            self._change_code()
        elif chance < 0.925:
            self._sign_in()
        else:
            self._look()

    def _top_up(self) -> None:
        self._topups += 1
        amount = TOPUP_BASE + self._number * 10_000 + self._topups
        self._is_poor = False
        body = {"amount": amount, "returnUrl": f"{self._client.world.gateway_url}/top-up"}
        operation = self._client.new_operation()
        answer = self._client.ask(operation, "top up", "POST", "/topup", body)
        if answer is None or answer.status != 201:
            return
        self._perhaps_again(operation, "top up", "/topup", body)
        intent = self._rng.choices((*bank_visit.INTENTS, None), (90, 4, 5, 1))[0]
        if intent is not None:
            bank_visit.visit(self._client, answer.body["paymentUrl"], answer.body["transactionID"], intent)

    def _create(self) -> None:
        operation = self._client.new_operation()
        too_much = self._rng.random() < 0.02
        amount = MORE_THAN_ANYBODY_HAS if too_much else self._rng.randint(1, 40_000)
        is_short = self._rng.random() < SHORT_SHARE
        lifetime = self._rng.choice(SHORT_LIVES if is_short else LONG_LIVES)
        # The note names the operation, so that the books show which request a check is of.
        body = {"amount": amount, "expiresIn": lifetime, "note": operation}
        answer = self._client.ask(operation, "create", "POST", "/fastcheck", body)
        if answer is None:
            return
        self._perhaps_again(operation, "create", "/fastcheck", body)
        if answer.status != 201:
            self._is_poor = not too_much
            return
        check = Held(answer.body["fastcheck"], answer.body["code"], amount)
        fate = self._rng.choices(("give", "hold", "race", "forget"), (55, 25, 15, 5))[0]
        if fate in ("give", "race"):
            self._give(check, 1 if fate == "give" else self._rng.randint(2, 3))
        if fate in ("hold", "race"):
            self._held.append(replace(check, is_given=fate == "race"))

    def _give(self, check: Held, copies: int) -> None:
        self._client.world.market.put_up(Offer(check.number, check.code, check.amount), copies)

    def _accept(self) -> None:
        offer = self._client.world.market.take(self._rng)
        if offer is None:
            self._create()
            return
        offer.on_your_marks()
        operation = self._client.new_operation()
        body = {"fastcheck": offer.number, "code": offer.code}
        answer = self._client.ask(operation, "accept", "POST", "/fastcheck/accept", body)
        if answer is not None:
            self._perhaps_again(operation, "accept", "/fastcheck/accept", body)

    def _cancel(self) -> None:
        if not self._held:
            self._create()
            return
        check = self._held.popleft()
        operation = self._client.new_operation()
        path = f"/fastcheck/{check.number}/cancel"
        answer = self._client.ask(operation, "cancel", "POST", path)
        if answer is not None:
            self._perhaps_again(operation, "cancel", path, None)

    def _change_code(self) -> None:
        """With a new code the check goes to somebody; where the new code is not known it is nobody's to give."""
        check = next((held for held in reversed(self._held) if not held.is_given), None)
        if check is None:
            self._create()
            return
        self._held.remove(check)
        operation = self._client.new_operation()
        answer = self._client.ask(operation, "change code", "POST", f"/fastcheck/{check.number}/code")
        if answer is not None and answer.status == 200:
            self._give(Held(check.number, answer.body["code"], check.amount), 1)

    def _perhaps_again(self, operation: str, kind: str, path: str, body: dict[str, Any] | None) -> None:
        if self._rng.random() < AGAIN_SHARE:
            self._client.ask_again(operation, kind, "POST", path, body)

    def _sign_in(self) -> None:
        user = self._client.user
        body = {"login": user.login, "password": user.password}
        answer = self._client.ask(self._client.new_operation(), "sign in", "POST", "/login", body)
        if answer is not None and answer.status == 200:
            self._client.session_id = answer.body["sessionID"]

    def _look(self) -> None:
        path = self._rng.choice(("/balance", "/balance", "/fastcheck/active", "/fastcheck/history", "/topup"))
        self._client.ask(self._client.new_operation(), "look", "GET", path)
