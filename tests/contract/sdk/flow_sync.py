"""Register, top up, create and accept a check with the sync SDK: ``python flow_sync.py URL``."""

import sys
import time
from uuid import UUID, uuid4

import httpx
from fastcheck import FastCheck, FastCheckError

URL = sys.argv[1]
CARD = {"card_number": "4111 1111 1111 1111", "expiry": "12/30", "cvc": "123"}
DEADLINE_SECONDS = 30


def top_up(user: FastCheck, amount: int) -> None:
    started = user.create_top_up(amount, f"{URL}/top-up")
    httpx.post(started.payment_url, data=CARD, follow_redirects=False)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while user.get_balance().balance < amount:
        assert time.monotonic() < deadline, "the top-up did not arrive"
        time.sleep(0.1)
    assert user.get_top_up(UUID(started.transaction_id)).status == "confirmed"


def main() -> None:
    with FastCheck(URL) as anna, FastCheck(URL) as boris:
        for user, name in ((anna, "anna"), (boris, "boris")):
            user.register(f"{name}-{uuid4().hex[:8]}", uuid4().hex)
        top_up(anna, 50_000)
        check = anna.create_check(15_000, note="For dinner", idempotency_key="one")
        assert anna.create_check(15_000, note="For dinner", idempotency_key="one") == check
        assert boris.preview_check(check.fastcheck, check.code).note == "For dinner"
        accepted = boris.accept_check(check.fastcheck, check.code)
        assert (anna.get_balance().balance, boris.get_balance().balance) == (35_000, 15_000)
        assert boris.list_history(limit=1).checks[0].accepted_at == accepted.accepted_at
        anna.cancel_check(anna.create_check(100).fastcheck)
        try:
            boris.create_check(15_001)
        except FastCheckError as error:
            assert (error.status, error.code) == (409, "insufficient_funds")
            assert error.request_id
        boris.log_out()
        try:
            boris.get_me()
        except FastCheckError as error:
            assert (error.status, error.code, error.message) == (401, None, "not authorized")
        else:
            raise AssertionError("the session is still active")
    sys.stdout.write("accepted\n")


main()
