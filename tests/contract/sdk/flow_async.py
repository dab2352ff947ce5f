"""Register, top up, create and accept a check with the async SDK: ``python flow_async.py URL``."""

import asyncio
import sys
import time
from uuid import uuid4

import httpx
from fastcheck import AsyncFastCheck

URL = sys.argv[1]
CARD = {"card_number": "4111 1111 1111 1111", "expiry": "12/30", "cvc": "123"}
DEADLINE_SECONDS = 30


async def top_up(user: AsyncFastCheck, amount: int) -> None:
    started = await user.create_top_up(amount, f"{URL}/top-up")
    async with httpx.AsyncClient() as browser:
        await browser.post(started.payment_url, data=CARD, follow_redirects=False)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (await user.get_balance()).balance < amount:
        assert time.monotonic() < deadline, "the top-up did not arrive"
        await asyncio.sleep(0.1)


async def main() -> None:
    async with AsyncFastCheck(URL) as anna, AsyncFastCheck(URL) as boris:
        await asyncio.gather(
            anna.register(f"anna-{uuid4().hex[:8]}", uuid4().hex),
            boris.register(f"boris-{uuid4().hex[:8]}", uuid4().hex),
        )
        await top_up(anna, 50_000)
        check = await anna.create_check(15_000)
        await boris.accept_check(check.fastcheck, check.code)
        balances = await asyncio.gather(anna.get_balance(), boris.get_balance())
        assert [balance.balance for balance in balances] == [35_000, 15_000]
    sys.stdout.write("accepted\n")


asyncio.run(main())
