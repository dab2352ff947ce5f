"""Random operations of users neither create nor lose money.

A model computes the expected balances; the running system must agree after every step.
"""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from launcher.demo.user import DemoUser, wait_until
from tests.support.system import RunningSystem
from tests.support.users import create_user, send, top_up

USERS = 3
MAX_WRONG_CODES = 3

amounts = st.integers(1, 60_000)
users = st.integers(0, USERS - 1)


@dataclass
class KnownCheck:
    """A check as the model knows it."""

    number: str
    code: str
    creator: int
    amount: int
    state: str = "active"
    wrong_codes: int = 0


class Bank(RuleBasedStateMachine):
    """Three users and all operations on their money."""

    gateway_url: str

    @initialize()
    def three_users(self) -> None:
        self.users: list[DemoUser] = [create_user(self.gateway_url) for _ in range(USERS)]
        self.balances = [0] * USERS
        self.paid_in = 0
        self.checks: list[KnownCheck] = []
        self.last: tuple[int, str, Any, str, requests.Response] | None = None
        self.top_up(0, 100_000)

    def _post(self, who: int, path: str, body: Any = None) -> requests.Response:
        key = secrets.token_hex(8)
        answer = send(self.users[who], self.gateway_url, "POST", path, body, key=key)
        self.last = (who, path, body, key, answer)
        return answer

    @rule(who=users, amount=amounts)
    def top_up(self, who: int, amount: int) -> None:
        top_up(self.users[who], self.gateway_url, amount)
        self.balances[who] += amount
        self.paid_in += amount

    @rule(who=users, amount=amounts)
    def create(self, who: int, amount: int) -> None:
        answer = self._post(who, "/fastcheck", {"amount": amount})
        if amount > self.balances[who]:
            assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_funds")
            return
        assert answer.status_code == 201, answer.text
        made = answer.json()
        self.balances[who] -= amount
        self.checks.append(KnownCheck(made["fastcheck"], made["code"], who, amount))

    @precondition(lambda self: self.checks)
    @rule(who=users, data=st.data())
    def accept(self, who: int, data: st.DataObject) -> None:
        check = data.draw(st.sampled_from(self.checks))
        answer = self._post(who, "/fastcheck/accept", {"fastcheck": check.number, "code": check.code})
        expected = {"active": (200, None), "used": (409, "check_used"), "cancelled": (410, "check_cancelled")}
        assert (answer.status_code, answer.json().get("code")) == expected[check.state], answer.text
        if check.state == "active":
            check.state = "used"
            self.balances[who] += check.amount

    @precondition(lambda self: any(check.state == "active" for check in self.checks))
    @rule(data=st.data())
    def all_accept_at_once(self, data: st.DataObject) -> None:
        check = data.draw(st.sampled_from([check for check in self.checks if check.state == "active"]))
        body = {"fastcheck": check.number, "code": check.code}
        with ThreadPoolExecutor(USERS * 3) as pool:
            tries = list(range(USERS)) * 3
            answers = list(
                pool.map(lambda who: send(self.users[who], self.gateway_url, "POST", "/fastcheck/accept", body), tries)
            )
        winners = [who for who, answer in zip(tries, answers, strict=True) if answer.status_code == 200]
        assert len(winners) == 1, [answer.text for answer in answers]
        assert {answer.json().get("code") for answer in answers if answer.status_code != 200} == {"check_used"}
        check.state = "used"
        self.balances[winners[0]] += check.amount

    @precondition(lambda self: any(check.wrong_codes < MAX_WRONG_CODES for check in self.checks))
    @rule(who=users, data=st.data())
    def wrong_code(self, who: int, data: st.DataObject) -> None:
        check = data.draw(st.sampled_from([check for check in self.checks if check.wrong_codes < MAX_WRONG_CODES]))
        wrong = f"{(int(check.code) + 1) % 10_000:04d}"
        answer = self._post(who, "/fastcheck/accept", {"fastcheck": check.number, "code": wrong})
        assert (answer.status_code, answer.json()["code"]) in {(404, "check_not_found"), (429, "too_many_attempts")}
        check.wrong_codes += 1

    @precondition(lambda self: self.checks)
    @rule(who=users, data=st.data())
    def cancel(self, who: int, data: st.DataObject) -> None:
        check = data.draw(st.sampled_from(self.checks))
        answer = self._post(who, f"/fastcheck/{check.number}/cancel")
        if who != check.creator:
            assert answer.status_code == 404
        elif check.state == "used":
            assert answer.status_code == 409
        else:
            assert answer.status_code == 200, answer.text
            if check.state == "active":
                check.state = "cancelled"
                self.balances[who] += check.amount

    @rule(who=users, amount=amounts)
    def a_check_expires(self, who: int, amount: int) -> None:
        if amount > self.balances[who]:
            return
        made = self._post(who, "/fastcheck", {"amount": amount, "expiresIn": 1}).json()
        self.last = None
        assert self.users[who].balance() == self.balances[who] - amount
        wait_until("the money came back", lambda: self.users[who].balance() == self.balances[who])
        answer = send(
            self.users[who],
            self.gateway_url,
            "POST",
            "/fastcheck/accept",
            {"fastcheck": made["fastcheck"], "code": made["code"]},
        )
        assert (answer.status_code, answer.json()["code"]) == (410, "check_expired")

    @precondition(lambda self: self.last is not None)
    @rule()
    def the_last_request_again(self) -> None:
        assert self.last is not None
        who, path, body, key, first = self.last
        again = send(self.users[who], self.gateway_url, "POST", path, body, key=key)
        if first.status_code == 429:
            return
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert again.headers["Idempotency-Replayed"] == "true"

    @invariant()
    def balances_equal_the_model(self) -> None:
        if not hasattr(self, "users"):
            return
        assert [user.balance() for user in self.users] == self.balances
        held = sum(check.amount for check in self.checks if check.state == "active")
        assert sum(self.balances) + held == self.paid_in


def test_random_operations_conserve_money(system: RunningSystem) -> None:
    class OfThisSystem(Bank):
        gateway_url = system.gateway_url

    run_state_machine_as_test(
        OfThisSystem,
        settings=settings(
            max_examples=6,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
