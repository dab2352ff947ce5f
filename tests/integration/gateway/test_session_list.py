"""``GET /sessions`` and ``DELETE /sessions/{id}`` through the gateway, with the real accounts."""

from typing import Any

import pytest

from tests.integration.gateway.conftest import PASSWORD, Gateway, Stack

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
NOT_FOUND = {"message": "you have no session with this id", "code": "session_not_found"}


def sessions_of(gateway: Gateway, session: str) -> list[dict[str, Any]]:
    response = gateway.get("/sessions", session)
    assert response.status_code == 200, response.text
    sessions: list[dict[str, Any]] = response.get_json()["sessions"]
    return sessions


def delete(gateway: Gateway, session: str | None, session_key: str) -> Any:
    headers = {} if session is None else {"Authorization": f"Bearer {session}"}
    return gateway.client.delete(f"/sessions/{session_key}", headers=headers)


def test_sessions_are_listed_with_device_and_which_is_current(gateway: Gateway) -> None:
    first = gateway.register("alice")
    credentials = {"login": "alice", "password": PASSWORD}
    second = gateway.post("/login", credentials, User_Agent=FIREFOX).get_json()["sessionID"]
    listed = sessions_of(gateway, second)
    assert len(listed) == 2
    (current,) = [session for session in listed if session["current"]]
    assert current["device"] == "Firefox on Linux"
    assert set(current) == {"id", "device", "createdAt", "lastUsedAt", "expiresAt", "current"}
    assert [session["current"] for session in sessions_of(gateway, first) if session["id"] == current["id"]] == [False]


def test_list_and_ids_open_nothing(gateway: Gateway) -> None:
    session = gateway.register("alice")
    response = gateway.get("/sessions", session)
    assert session not in response.text
    session_key = response.get_json()["sessions"][0]["id"]
    for guess in (session_key, session_key.replace("-", "").upper()):
        assert gateway.get("/balance", guess).status_code == 401


def test_an_ended_session_is_invalid_at_once_at_every_gateway(stack: Stack) -> None:
    gateways = [stack.gateway(), stack.gateway()]
    kept, ended = gateways[0].register("alice"), gateways[1].log_in("alice")
    for gateway in gateways:
        assert gateway.get("/balance", ended).status_code == 200
    (session_key,) = [each["id"] for each in sessions_of(gateways[0], kept) if not each["current"]]
    assert delete(gateways[0], kept, session_key).status_code == 204
    for gateway in gateways:
        assert gateway.get("/balance", ended).get_json() == {"message": "not authorized"}
        assert gateway.get("/balance", kept).status_code == 200
    repeat = delete(gateways[0], kept, session_key)
    assert (repeat.status_code, repeat.get_json()) == (404, NOT_FOUND)


def test_the_current_session_can_be_ended(gateway: Gateway) -> None:
    session = gateway.register("alice")
    assert delete(gateway, session, sessions_of(gateway, session)[0]["id"]).status_code == 204
    assert gateway.get("/balance", session).status_code == 401


def test_another_user_can_neither_see_nor_end_a_session(gateway: Gateway) -> None:
    owner, other = gateway.register("alice"), gateway.register("bob")
    session_key = sessions_of(gateway, owner)[0]["id"]
    assert session_key not in [session["id"] for session in sessions_of(gateway, other)]
    response = delete(gateway, other, session_key)
    assert (response.status_code, response.get_json()) == (404, NOT_FOUND)
    assert gateway.get("/balance", owner).status_code == 200


@pytest.mark.parametrize("session_key", ["0" * 31, "x", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
def test_without_a_session_both_are_401(gateway: Gateway, session_key: str) -> None:
    assert delete(gateway, None, session_key).get_json() == {"message": "not authorized"}
    assert gateway.get("/sessions").get_json() == {"message": "not authorized"}


def test_an_id_of_the_wrong_form_is_refused(gateway: Gateway) -> None:
    assert delete(gateway, gateway.register("alice"), "not-an-id").status_code == 400
