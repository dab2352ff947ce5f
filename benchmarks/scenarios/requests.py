"""The users' requests: reading a balance, writing checks, accepting them."""

import itertools
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from benchmarks import load, repeated
from benchmarks.load import Outcome, Requests, each_once, message
from benchmarks.user_pool import User

BALANCE: Final = "/balance"
CREATE: Final = "/fastcheck"
ACCEPT: Final = "/fastcheck/accept"
_ORDER: Final = b'{"amount": 1}'
_WITHOUT_END: Final = 3600.0

Codes = list[bytes]


def read_balances(url: str, users: Sequence[User], connections: int, seconds: float) -> Outcome:
    """``GET /balance`` of one after the other."""
    messages = [message("GET", BALANCE, session=user.session) for user in users]
    return repeated.run(url, messages, connections=connections, seconds=seconds)


def create_checks(url: str, users: Sequence[User], connections: int, seconds: float) -> tuple[Outcome, Codes]:
    """``POST /fastcheck`` with a key of its own each time; and the bodies that accept what was made."""
    outcome = load.run(
        url, _of_all(users, partial(_orders)), connections=connections, seconds=seconds, keep_bodies=True
    )
    return outcome, [_number_and_code(body) for body in outcome.bodies]


def accept_checks(url: str, users: Sequence[User], codes: Codes, connections: int) -> Outcome:
    """``POST /fastcheck/accept`` of all these checks, each once, by one user after the other."""
    run = secrets.token_hex(4)
    requests = [
        message("POST", ACCEPT, session=user.session, key=f"{run}-{number}", body=code)
        for number, (code, user) in enumerate(zip(codes, itertools.cycle(users), strict=False))
    ]
    sources = [
        partial(each_once, requests[number :: load.MOST_PROCESSES])
        for number in range(min(load.MOST_PROCESSES, connections))
    ]
    return load.run(url, sources, connections=connections, seconds=_WITHOUT_END)


def _of_all(users: Sequence[User], requests: Callable[[Sequence[User]], Requests]) -> list[Callable[[], Requests]]:
    """Every process of the generator has its own part of the users."""
    return [partial(requests, users[number :: load.MOST_PROCESSES]) for number in range(load.MOST_PROCESSES)]


def _orders(users: Sequence[User]) -> Iterator[bytes]:
    run = secrets.token_hex(4)
    places = [
        message("POST", CREATE, session=user.session, key=f"{run}-KEY-{number:04d}", body=_ORDER)
        for number, user in enumerate(users)
    ]
    for repetition in itertools.count():
        key = f"{repetition:06d}".encode()
        for place in places:
            yield place.replace(b"KEY", key, 1)


def _number_and_code(body: bytes) -> bytes:
    check = json.loads(body)
    return json.dumps({"fastcheck": check["fastcheck"], "code": check["code"]}).encode()
