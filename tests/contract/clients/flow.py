"""Register, top up, create and accept a check with the generated package: ``python flow.py URL``."""

import sys
import time
from uuid import UUID, uuid4

import httpx
from fastcheck_generated import AuthenticatedClient, Client
from fastcheck_generated.api.accounts import register
from fastcheck_generated.api.balance import get_balance
from fastcheck_generated.api.fast_checks import accept_check, create_check, list_history
from fastcheck_generated.api.top_up import create_top_up, get_top_up
from fastcheck_generated.models import (
    AcceptedCheck,
    ActiveCheck,
    BalanceView,
    CreateRequest,
    Credentials,
    ErrorBody,
    HistoryList,
    NumberAndCode,
    SessionView,
    StartedTopUp,
    TopUpRequest,
    TopUpView,
)
from fastcheck_generated.types import Unset

URL = sys.argv[1]
CARD = {"card_number": "4111 1111 1111 1111", "expiry": "12/30", "cvc": "123"}
DEADLINE_SECONDS = 30


def sign_up(name: str) -> AuthenticatedClient:
    credentials = Credentials(login=f"{name}-{uuid4().hex[:8]}", password=uuid4().hex)
    session = register.sync(client=Client(base_url=URL), body=credentials)
    assert isinstance(session, SessionView)
    return AuthenticatedClient(base_url=URL, token=session.session_id)


def balance_of(user: AuthenticatedClient) -> int:
    balance = get_balance.sync(client=user)
    assert isinstance(balance, BalanceView)
    return balance.balance


def top_up(user: AuthenticatedClient, amount: int) -> None:
    request = TopUpRequest(amount=amount, return_url=f"{URL}/top-up")
    started = create_top_up.sync(client=user, body=request, idempotency_key=uuid4().hex)
    assert isinstance(started, StartedTopUp)
    httpx.post(started.payment_url, data=CARD, follow_redirects=False)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while balance_of(user) < amount:
        assert time.monotonic() < deadline, "the top-up did not arrive"
        time.sleep(0.1)
    stored = get_top_up.sync(UUID(started.transaction_id), client=user)
    assert isinstance(stored, TopUpView)
    assert stored.status == "confirmed"


def main() -> None:
    anna, boris = sign_up("anna"), sign_up("boris")
    top_up(anna, 50_000)
    key = uuid4().hex
    check = create_check.sync(client=anna, body=CreateRequest(amount=15_000), idempotency_key=key)
    assert isinstance(check, ActiveCheck)
    assert isinstance(check.note, Unset)
    repeated = create_check.sync_detailed(client=anna, body=CreateRequest(amount=15_000), idempotency_key=key)
    assert repeated.parsed == check
    assert repeated.headers["Idempotency-Replayed"] == "true"
    secret = NumberAndCode(fastcheck=check.fastcheck, code=check.code)
    accepted = accept_check.sync(client=boris, body=secret, idempotency_key=uuid4().hex)
    assert isinstance(accepted, AcceptedCheck)
    assert (balance_of(anna), balance_of(boris)) == (35_000, 15_000)
    refused = create_check.sync(client=boris, body=CreateRequest(amount=15_001))
    assert isinstance(refused, ErrorBody)
    assert refused.code == "insufficient_funds"
    unknown = get_balance.sync(client=AuthenticatedClient(base_url=URL, token="0" * 32))
    assert isinstance(unknown, ErrorBody)
    assert unknown.to_dict() == {"message": "not authorized"}
    history = list_history.sync(client=boris, limit=1)
    assert isinstance(history, HistoryList)
    assert history.checks[0].accepted_at == accepted.accepted_at
    sys.stdout.write("accepted\n")


main()
