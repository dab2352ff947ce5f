"""The behaviour of a client: top up, create, accept, cancel, change codes, sign in, read."""

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from tests.faults.chaos.client import Client
from tests.faults.chaos.offers import Offer
from tests.faults.responses import PAYMENT_PAGE_KINDS

#: Lifetimes in seconds: expired by the sweep, expired by a clock that is ahead, and longer.
SHORT_LIFETIMES: Final = (1, 2, 3, 5)
LONG_LIFETIMES: Final = (3_600, 86_400, 7 * 86_400, 30 * 86_400)
SHORT_SHARE: Final = 0.2
MAX_OWNED_CHECKS: Final = 40

#: Top-ups are identified by their amounts: each of a client's is one kopeck larger than the previous one.
TOPUP_BASE: Final = 400_000
UNAFFORDABLE_AMOUNT: Final = 10**11


@dataclass(frozen=True, slots=True)
class OwnedCheck:
    """A check that the client may still cancel. ``is_shared``: its code is on offer."""

    number: str
    code: str
    amount: int
    is_shared: bool = False


class ClientThread(threading.Thread):
    """One client at work. ``idle`` is set while no operation is in progress."""

    def __init__(self, client: Client, number: int) -> None:
        super().__init__(name=client.name, daemon=True)
        self.idle = threading.Event()
        self.error: BaseException | None = None
        self._client = client
        self._number = number
        self._rng = client.rng
        self._owned: deque[OwnedCheck] = deque(maxlen=MAX_OWNED_CHECKS)
        self._topups = 0
        self._needs_funds = True

    def run(self) -> None:
        shared = self._client.shared
        try:
            while not shared.over.is_set():
                if not shared.working.is_set():
                    self.idle.set()
                    shared.working.wait(0.2)
                    continue
                self.idle.clear()
                self._act()
                shared.over.wait(self._rng.expovariate(shared.rate_per_client))
        except BaseException as error:  # an error of the harness must fail the run
            self.error = error
            raise
        finally:
            self.idle.set()

    def _act(self) -> None:
        chance = self._rng.random()
        if self._needs_funds or chance < 0.07:
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
            self._read()

    def _top_up(self) -> None:
        self._topups += 1
        amount = TOPUP_BASE + self._number * 10_000 + self._topups
        self._needs_funds = False
        body = {"amount": amount, "returnUrl": f"{self._client.shared.gateway_url}/top-up"}
        response = self._client.send(self._client.begin("topup", "/topup", body))
        if response is None or not response.is_success:
            return
        kind = self._rng.choices((*PAYMENT_PAGE_KINDS, None), (90, 4, 5, 1))[0]
        if kind is not None:
            self._client.visit_bank(response.body["paymentUrl"], response.body["transactionID"], kind)

    def _create(self) -> None:
        unaffordable = self._rng.random() < 0.02
        amount = UNAFFORDABLE_AMOUNT if unaffordable else self._rng.randint(1, 40_000)
        is_short = self._rng.random() < SHORT_SHARE
        lifetime = self._rng.choice(SHORT_LIFETIMES if is_short else LONG_LIFETIMES)
        operation = self._client.begin("create", "/fastcheck", {"amount": amount, "expiresIn": lifetime})
        # The note names the operation, so that the books show which request created a check.
        operation.body["note"] = operation.name
        response = self._client.send(operation)
        if response is None:
            return
        if not response.is_success:
            self._needs_funds = not unaffordable
            return
        check = OwnedCheck(response.body["fastcheck"], response.body["code"], amount)
        use = self._rng.choices(("give", "hold", "race", "forget"), (55, 25, 15, 5))[0]
        if use in ("give", "race"):
            self._offer(check, 1 if use == "give" else self._rng.randint(2, 3))
        if use in ("hold", "race"):
            self._owned.append(replace(check, is_shared=use == "race"))

    def _offer(self, check: OwnedCheck, copies: int) -> None:
        self._client.shared.offers.add(Offer(check.number, check.code, check.amount), copies)

    def _accept(self) -> None:
        offer = self._client.shared.offers.take(self._rng)
        if offer is None:
            self._create()
            return
        offer.wait_for_others()
        body = {"fastcheck": offer.number, "code": offer.code}
        self._client.send(self._client.begin("accept", "/fastcheck/accept", body))

    def _cancel(self) -> None:
        if not self._owned:
            self._create()
            return
        check = self._owned.popleft()
        self._client.send(self._client.begin("cancel", f"/fastcheck/{check.number}/cancel"))

    def _change_code(self) -> None:
        """Offer the check with its new code; without a response the code is unknown and the check is dropped."""
        check = next((held for held in reversed(self._owned) if not held.is_shared), None)
        if check is None:
            self._create()
            return
        self._owned.remove(check)
        response = self._client.send(self._client.begin("code", f"/fastcheck/{check.number}/code"))
        if response is not None and response.is_success:
            self._offer(OwnedCheck(check.number, response.body["code"], check.amount), 1)

    def _sign_in(self) -> None:
        user = self._client.user
        body = {"login": user.login, "password": user.password}
        response = self._client.send(self._client.begin("login", "/login", body))
        if response is not None and response.is_success:
            self._client.session_id = response.body["sessionID"]

    def _read(self) -> None:
        path = self._rng.choice(("/balance", "/balance", "/fastcheck/active", "/fastcheck/history", "/topup"))
        self._client.send(self._client.begin("read", path), "GET")
