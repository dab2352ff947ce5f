"""Compares responses with the books: successes and refusals hold, and a key has one effect."""

import json
from collections.abc import Iterator
from datetime import datetime

from cryptography.fernet import Fernet

from tests.faults.books import Books, Check, unsealed
from tests.faults.simulation.clients import ENDINGS, USERS, Clients, Exchange, Response


class Promises:
    """The responses of one settled seed."""

    def __init__(self, clients: Clients, books: Books, code_key: str) -> None:
        self._clients = clients
        self._books = books
        self._fernet = Fernet(code_key)
        self._by_number = {f"{c.number[:4]}-{c.number[4:8]}-{c.number[8:]}": c for c in books.checks}

    def broken(self) -> Iterator[str]:
        """Yield each response that does not hold."""
        for name, asked in self._clients.asked.items():
            for sentence in self._of(name, asked):
                yield f"{name} ({asked.spec}): {sentence}"
        accepted: dict[str, str] = {}
        for name, asked in self._clients.asked.items():
            if asked.spec.kind == "accept" and asked.success:
                other = accepted.setdefault(asked.spec.of, name)
                if other != name:
                    yield f"{asked.spec.of} was accepted by {other} and by {name}"

    def _of(self, name: str, asked: Exchange) -> Iterator[str]:
        yield from self._same_answers(asked)
        match asked.spec.kind:
            case "create":
                yield from self._created(name, asked)
            case "accept":
                yield from self._accepted(asked)
            case "cancel":
                yield from self._ended(asked, "cancelled", USERS[asked.spec.user])
            case "topup":
                yield from self._topped_up(asked)
        if asked.spec.persists and asked.requests and not asked.final:
            yield f"never received a final response: {asked.responses}"

    @staticmethod
    def _same_answers(asked: Exchange) -> Iterator[str]:
        """All final responses under one key are equal."""
        if (
            asked.key
            and len({json.dumps([response.status, response.body], sort_keys=True) for response in asked.final}) > 1
        ):
            yield f"received different responses under one key: {asked.final}"

    def _created(self, name: str, asked: Exchange) -> Iterator[str]:
        mine = [
            c for c in self._books.checks if (c.creator, c.amount) == (str(USERS[asked.spec.user]), asked.spec.amount)
        ]
        if len(mine) > (1 if asked.key else asked.requests):
            yield f"made {len(mine)} checks"
        for response in asked.final:
            if response.is_success:
                yield from self._has_check(name, asked, response)
            elif response.code == "insufficient_funds" and asked.key and any(c.status != "rejected" for c in mine):
                yield f"received insufficient_funds, and there is {mine}"

    def _has_check(self, name: str, asked: Exchange, response: Response) -> Iterator[str]:
        check = self._by_number.get(response.body["fastcheck"])
        if check is None or check.status == "rejected":
            yield f"was given {response.body['fastcheck']}, which is {check}"
            return
        expected = (asked.spec.amount, str(USERS[asked.spec.user]), datetime.fromisoformat(response.body["expiration"]))
        if (check.amount, check.creator, check.expires_at) != expected:
            yield f"received {response.body}, and has {check}"
        # A client whose code change has no response cannot know the current code.
        changes = [
            other for other in self._clients.asked.values() if (other.spec.kind, other.spec.of) == ("code", name)
        ]
        certain = all(other.final for other in changes)
        if certain and self._code(check) not in self._clients.codes[name]:
            yield f"received the codes {self._clients.codes[name]}, the check has another one"
        if not changes and self._code(check) != response.body["code"]:
            yield f"received the code {response.body['code']}, the check has another one"

    def _code(self, check: Check) -> str:
        # The id of the check precedes the code.
        return unsealed(self._fernet, bytes(check.sealed_code))[-4:].decode()

    def _accepted(self, asked: Exchange) -> Iterator[str]:
        check = self._by_number[str(asked.body and asked.body["fastcheck"])]
        for response in asked.final:
            if response.is_success and (check.status, check.acceptor) != ("used", str(USERS[asked.spec.user])):
                yield f"succeeded, and the check is {check}"
            if not response.is_success and check.status != ENDINGS.get(response.code, check.status):
                yield f"received {response.code}, and the check is {check.status}"
            changed = any((o.spec.kind, o.spec.of) == ("code", asked.spec.of) for o in self._clients.asked.values())
            if response.status == 404 and not asked.spec.wrong_code and not changed:
                yield "received check_not_found with the right number and code"
            if response.is_success and asked.spec.wrong_code:
                yield "succeeded with a wrong code"

    def _ended(self, asked: Exchange, status: str, user: object) -> Iterator[str]:
        check = self._by_number[asked.target.split("/")[2]]
        if asked.success and (check.status, check.creator) != (status, str(user)):
            yield f"succeeded, and the check is {check}"

    def _topped_up(self, asked: Exchange) -> Iterator[str]:
        expected = (str(USERS[asked.spec.user]), asked.spec.amount)
        mine = [topup for topup in self._books.topups if (topup.user, topup.amount) == expected]
        if len(mine) > (1 if asked.key else asked.requests):
            yield f"made {len(mine)} top-ups"
        for response in asked.final:
            if response.is_success and response.body["transactionID"] not in {topup.topup_id for topup in mine}:
                yield f"was given the top-up {response.body['transactionID']}, and has {mine}"
