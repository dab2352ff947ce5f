"""What clients were told, held against the books: a yes is kept, a no is kept too, and a key has one effect."""

import json
from collections.abc import Iterator
from datetime import datetime

from cryptography.fernet import Fernet

from tests.faults.books import Books, Check, unsealed
from tests.faults.simulation.clients import ENDINGS, USERS, Asked, Clients, Told


class Promises:
    """One settled seed."""

    def __init__(self, clients: Clients, books: Books, code_key: str) -> None:
        self._clients = clients
        self._books = books
        self._fernet = Fernet(code_key)
        self._by_number = {f"{c.number[:4]}-{c.number[4:8]}-{c.number[8:]}": c for c in books.checks}

    def broken(self) -> Iterator[str]:
        """Every promise that was not kept."""
        for name, asked in self._clients.asked.items():
            for sentence in self._of(name, asked):
                yield f"{name} ({asked.wish}): {sentence}"
        accepted: dict[str, str] = {}
        for name, asked in self._clients.asked.items():
            if asked.wish.kind == "accept" and asked.yes:
                other = accepted.setdefault(asked.wish.of, name)
                if other != name:
                    yield f"{asked.wish.of} was accepted by {other} and by {name}"

    def _of(self, name: str, asked: Asked) -> Iterator[str]:
        yield from self._same_answers(asked)
        match asked.wish.kind:
            case "create":
                yield from self._created(name, asked)
            case "accept":
                yield from self._accepted(asked)
            case "cancel":
                yield from self._ended(asked, "cancelled", USERS[asked.wish.user])
            case "topup":
                yield from self._topped_up(asked)
        if asked.wish.persists and asked.requests and not asked.final:
            yield f"never got a final answer: {asked.told}"

    @staticmethod
    def _same_answers(asked: Asked) -> Iterator[str]:
        """Under one key every final answer is the first one."""
        if asked.key and len({json.dumps([told.status, told.body], sort_keys=True) for told in asked.final}) > 1:
            yield f"was told different things under one key: {asked.final}"

    def _created(self, name: str, asked: Asked) -> Iterator[str]:
        mine = [
            c for c in self._books.checks if (c.creator, c.amount) == (str(USERS[asked.wish.user]), asked.wish.amount)
        ]
        if len(mine) > (1 if asked.key else asked.requests):
            yield f"made {len(mine)} checks"
        for told in asked.final:
            if told.is_yes:
                yield from self._has_check(name, asked, told)
            elif told.code == "insufficient_funds" and asked.key and any(c.status != "rejected" for c in mine):
                yield f"was told that there is not enough money, and there is {mine}"

    def _has_check(self, name: str, asked: Asked, told: Told) -> Iterator[str]:
        check = self._by_number.get(told.body["fastcheck"])
        if check is None or check.status == "rejected":
            yield f"was given {told.body['fastcheck']}, which is {check}"
            return
        said = (asked.wish.amount, str(USERS[asked.wish.user]), datetime.fromisoformat(told.body["expiration"]))
        if (check.amount, check.creator, check.expires_at) != said:
            yield f"was told {told.body}, and has {check}"
        # Somebody whose change of the code was not answered cannot know which code is the right one.
        changes = [
            other for other in self._clients.asked.values() if (other.wish.kind, other.wish.of) == ("code", name)
        ]
        certain = all(other.final for other in changes)
        if certain and self._code(check) not in self._clients.codes[name]:
            yield f"was told the codes {self._clients.codes[name]}, the check has another one"
        if not changes and self._code(check) != told.body["code"]:
            yield f"was told the code {told.body['code']}, the check has another one"

    def _code(self, check: Check) -> str:
        # Before the code stands the id of its check.
        return unsealed(self._fernet, bytes(check.sealed_code))[-4:].decode()

    def _accepted(self, asked: Asked) -> Iterator[str]:
        check = self._by_number[str(asked.body and asked.body["fastcheck"])]
        for told in asked.final:
            if told.is_yes and (check.status, check.acceptor) != ("used", str(USERS[asked.wish.user])):
                yield f"was told yes, and the check is {check}"
            if not told.is_yes and check.status != ENDINGS.get(told.code, check.status):
                yield f"was told {told.code}, and the check is {check.status}"
            changed = any((o.wish.kind, o.wish.of) == ("code", asked.wish.of) for o in self._clients.asked.values())
            if told.status == 404 and not asked.wish.wrong_code and not changed:
                yield "was told that there is no such check, with the right number and code"
            if told.is_yes and asked.wish.wrong_code:
                yield "was told yes for a wrong code"

    def _ended(self, asked: Asked, status: str, user: object) -> Iterator[str]:
        check = self._by_number[asked.target.split("/")[2]]
        if asked.yes and (check.status, check.creator) != (status, str(user)):
            yield f"was told yes, and the check is {check}"

    def _topped_up(self, asked: Asked) -> Iterator[str]:
        said = (str(USERS[asked.wish.user]), asked.wish.amount)
        mine = [topup for topup in self._books.topups if (topup.user, topup.amount) == said]
        if len(mine) > (1 if asked.key else asked.requests):
            yield f"made {len(mine)} top-ups"
        for told in asked.final:
            if told.is_yes and told.body["transactionID"] not in {topup.topup_id for topup in mine}:
                yield f"was given the top-up {told.body['transactionID']}, and has {mine}"
