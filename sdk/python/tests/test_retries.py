"""Which requests are repeated, and after which failures."""

import asyncio
import json
import time
from collections.abc import Callable

import httpx
import pytest
from fastcheck import AsyncFastCheck, FastCheck, FastCheckError, retries

URL = "https://fastcheck.test"
CHECK = {
    "fastcheck": "1234-5678-0001",
    "amount": 15000,
    "currency": "RUB",
    "code": "5864",
    "createdAt": "2026-01-19T09:08:18Z",
    "expiration": "2026-01-26T09:08:18Z",
    "status": "active",
}
BALANCE = httpx.Response(200, json={"balance": 1, "currency": "RUB"})


def failure(status: int, code: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"message": "no", "code": code}, headers=named)


BUSY = failure(503, "temporarily_unavailable", Retry_After="7")
LIMITED = failure(429, "too_many_requests", Retry_After="3")


class Api:
    """Responds with the given responses, one after the other, and records the requests."""

    def __init__(self, *responses: httpx.Response | Exception) -> None:
        self.responses = list(responses)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = self.responses.pop(0)
        if isinstance(response, Exception):
            raise response
        return httpx.Response(response.status_code, content=response.content, headers=response.headers)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays, which pass at once."""
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    monkeypatch.setattr(time, "sleep", delays.append)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return delays


def client(api: Api, **options: int) -> FastCheck:
    return FastCheck(URL, "0" * 32, transport=httpx.MockTransport(api), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x"), BUSY]
)
def test_read_is_repeated(slept: list[float], error: Exception | httpx.Response) -> None:
    api = Api(error, error, BALANCE)
    assert client(api).get_balance().balance == 1
    assert len(slept) == 2


@pytest.mark.parametrize(
    "error",
    [httpx.ReadTimeout("x"), BUSY, LIMITED, failure(409, "request_in_progress"), failure(502, "bank_unavailable")],
)
def test_creation_is_repeated_under_one_key(slept: list[float], error: Exception | httpx.Response) -> None:
    api = Api(error, httpx.Response(201, json=CHECK))
    assert client(api).create_check(15000).fastcheck == CHECK["fastcheck"]
    keys = [request.headers["Idempotency-Key"] for request in api.requests]
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert [json.loads(request.content) for request in api.requests] == [{"amount": 15000}] * 2


def test_each_creation_has_its_own_key_or_the_given_one(slept: list[float]) -> None:
    api = Api(*[httpx.Response(201, json=CHECK)] * 3)
    fastcheck = client(api)
    fastcheck.create_check(1)
    fastcheck.create_check(1)
    fastcheck.create_check(1, idempotency_key="mine")
    keys = [request.headers["Idempotency-Key"] for request in api.requests]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


@pytest.mark.parametrize("error", [httpx.ReadTimeout("x"), BUSY])
def test_request_that_could_act_twice_is_not_repeated(slept: list[float], error: Exception | httpx.Response) -> None:
    api = Api(error)
    with pytest.raises((FastCheckError, httpx.TransportError)):
        client(api).log_in("anna", "correct horse")
    assert len(api.requests) == 1


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ConnectTimeout("x"), LIMITED])
def test_request_that_was_not_processed_is_repeated(slept: list[float], error: Exception | httpx.Response) -> None:
    session = {
        "userID": "0b6d7a54-4f0e-4f5e-9c1f-6a1d3c0c2a11",
        "sessionID": "A" * 32,
        "expiresAt": "2026-02-18T09:08:18Z",
    }
    api = Api(error, httpx.Response(200, json=session), BALANCE)
    fastcheck = client(api)
    assert fastcheck.log_in("anna", "correct horse").session_id == fastcheck.session_id == "A" * 32
    fastcheck.get_balance()
    assert api.requests[-1].headers["Authorization"] == f"Bearer {'A' * 32}"


@pytest.mark.parametrize(
    "response",
    [
        failure(409, "insufficient_funds"),
        failure(429, "check_frozen"),
        failure(429, "check_frozen", Retry_After="900"),
        failure(422, "idempotency_key_reused"),
        failure(500, "internal_error"),
    ],
)
def test_decision_of_the_api_is_not_repeated(slept: list[float], response: httpx.Response) -> None:
    api = Api(response)
    with pytest.raises(FastCheckError) as caught:
        client(api).accept_check("1234-5678-0001", "5864")
    assert caught.value.code == json.loads(response.content)["code"]
    assert slept == []


def test_attempts_are_limited_and_the_last_error_is_raised(slept: list[float]) -> None:
    api = Api(*[BUSY] * 3)
    with pytest.raises(FastCheckError) as caught:
        client(api, retries=2).get_balance()
    assert (caught.value.status, caught.value.retry_after_seconds) == (503, 7)
    assert slept == [7, 7]


def test_delays_grow_and_are_bounded() -> None:
    for attempt, most in ((1, 0.25), (2, 0.5), (3, 1.0), (20, 10.0)):
        assert most / 2 <= retries.delay_seconds(attempt, None) <= most
    assert retries.delay_seconds(1, failure(503, "x", Retry_After="900")) == retries.MAX_DELAY_SECONDS


def test_error_tells_what_the_api_said() -> None:
    body = {"message": "the request is not valid", "code": "invalid_request", "errors": {"amount": "is required"}}
    api = Api(httpx.Response(400, json=body, headers={"X-Request-ID": "r-1"}))
    with pytest.raises(FastCheckError) as caught:
        client(api).create_check(0)
    error = caught.value
    assert (error.status, error.code, error.errors, error.request_id) == (400, "invalid_request", body["errors"], "r-1")
    assert str(error) == "400 invalid_request: the request is not valid"


def test_client_without_a_session_sends_none_to_guests_routes_and_an_invalid_one_to_others() -> None:
    api = Api(*[failure(400, "invalid_request")] * 3)
    with FastCheck(URL, transport=httpx.MockTransport(api)) as fastcheck:
        assert fastcheck.session_id == ""
        for call in (
            lambda: fastcheck.register("anna", "x"),
            lambda: fastcheck.preview_check_as_guest("1234-5678-0001", "5864"),
            fastcheck.get_me,
        ):
            with pytest.raises(FastCheckError):
                call()
    assert [request.headers.get("Authorization") for request in api.requests] == [None, None, "Bearer none"]


def test_missing_session_has_no_code() -> None:
    with pytest.raises(FastCheckError) as caught:
        client(Api(httpx.Response(401, json={"message": "not authorized"}))).get_me()
    assert (caught.value.status, caught.value.code, str(caught.value)) == (401, None, "401: not authorized")


def test_async_client_repeats_too(slept: list[float]) -> None:
    api = Api(httpx.ReadTimeout("x"), BUSY, httpx.Response(201, json=CHECK))

    async def create() -> str:
        async with AsyncFastCheck(URL, "0" * 32, transport=httpx.MockTransport(api)) as fastcheck:
            return (await fastcheck.create_check(15000)).fastcheck

    assert asyncio.run(create()) == CHECK["fastcheck"]
    assert len({request.headers["Idempotency-Key"] for request in api.requests}) == 1
    assert slept[1] == 7


def test_async_request_that_could_act_twice_is_not_repeated(slept: list[float]) -> None:
    api = Api(httpx.ReadTimeout("x"))

    async def log_in() -> None:
        async with AsyncFastCheck(URL, transport=httpx.MockTransport(api)) as fastcheck:
            await fastcheck.log_in("anna", "correct horse")

    with pytest.raises(httpx.ReadTimeout):
        asyncio.run(log_in())
    assert slept == []


def test_both_clients_have_the_same_methods() -> None:
    def public(cls: type) -> set[str]:
        return {name for name in vars(cls) if not name.startswith("_")}

    assert public(FastCheck) == public(AsyncFastCheck)
    returned: list[Callable[..., object]] = [vars(AsyncFastCheck)[name] for name in public(FastCheck) - {"session_id"}]
    assert all(asyncio.iscoroutinefunction(method) for method in returned)
