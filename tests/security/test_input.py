"""Messages that can be read in two ways, or break a parser behind the first one. Each is rejected with a 4xx."""

import json

import psycopg2
import pytest
import requests

from launcher.demo.user import DemoUser
from tests.security.raw_http import exchange, message
from tests.support.system import RunningSystem
from tests.support.users import create_user, send

TIMEOUT = 20
FORGED = {
    "tbank": rb'{"TerminalKey": "x", "OrderId": "1", "Token": "\ud800"}',
    "yookassa": rb'{"type": "notification", "event": "payment.succeeded", "object": {"id": "\ud800"}}',
    "sber": b"mdOrder=%ED%A0%80&orderNumber=1&operation=deposited&status=1&checksum=%ED%A0%80",
}


@pytest.fixture(scope="module")
def user(system: RunningSystem) -> DemoUser:
    return create_user(system.gateway_url, kopecks=10_000)


def forged(system: RunningSystem, bank: str) -> int:
    """Return the number of recorded forged notifications of a bank."""
    connection = psycopg2.connect(system.database_url("payments"))
    try:
        with connection, connection.cursor() as cursor:
            query = "SELECT count(*) FROM notifications WHERE bank = %s AND verdict = 'bad_signature'"
            cursor.execute(query, (bank,))
            row = cursor.fetchone()
    finally:
        connection.close()
    return int(row[0]) if row else 0


@pytest.mark.parametrize("bank", FORGED)
def test_lone_surrogate_in_a_notification_is_forged_and_recorded(system: RunningSystem, bank: str) -> None:
    before = forged(system, bank)
    kind = "application/x-www-form-urlencoded" if bank == "sber" else "application/json"
    url = f"{system.gateway_url}/bank/webhook/{bank}"
    response = requests.post(url, data=FORGED[bank], headers={"Content-Type": kind}, timeout=TIMEOUT)
    assert (response.status_code, response.json()["code"]) == (403, "bad_signature")
    assert forged(system, bank) == before + 1
    if bank == "sber":
        assert requests.get(f"{url}?{FORGED[bank].decode()}", timeout=TIMEOUT).status_code == 403


@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\x00", "\x7f", "\ud800"])
def test_control_character_in_a_return_url_is_rejected(system: RunningSystem, user: DemoUser, character: str) -> None:
    body = {"amount": 1_000, "returnUrl": f"{system.gateway_url}/top-up?x=1{character}Set-Cookie: a=b"}
    response = send(user, system.gateway_url, "POST", "/topup", body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


def test_browser_returns_to_the_url_that_was_checked(system: RunningSystem, user: DemoUser) -> None:
    body = {"amount": 1_000, "returnUrl": f'{system.gateway_url}/top-up?x=\u0447 "<y>'}
    topup = send(user, system.gateway_url, "POST", "/topup", body).json()
    back = f"{system.gateway_url}/topup/{topup['transactionID']}/return"
    response = requests.get(back, allow_redirects=False, timeout=TIMEOUT)
    assert (response.status_code, response.headers["Location"]) == (
        303,
        f"{system.gateway_url}/top-up?x=%D1%87%20%22%3Cy%3E",
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/fastcheck", '{"amount": 1, "amount": 100}'),
        ("/fastcheck", '{"amount": 100, "\\u0061mount": 1}'),
        ("/fastcheck/accept", '{"fastcheck": "1234-5678-0001", "code": "0000", "code": "0001"}'),
        ("/topup", '{"amount": 1, "amount": 100, "returnUrl": "https://shop.example/"}'),
        ("/me/password", '{"oldPassword": "a", "oldPassword": "b", "newPassword": "a long new password"}'),
    ],
)
def test_name_given_twice_is_rejected(system: RunningSystem, user: DemoUser, path: str, body: str) -> None:
    headers = {"Authorization": user.authorization, "Content-Type": "application/json"}
    response = requests.post(system.gateway_url + path, data=body, headers=headers, timeout=TIMEOUT)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    assert "is given more than once" in response.json()["errors"].values()


CHUNKED = (
    "POST /fastcheck HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {coding}\r\n"
    "Content-Type: application/json\r\nAuthorization: Bearer {session}\r\n\r\n"
)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("chunked", b'e\r\n{"amount":100}\r\n0\r\n\r\n'),
        ("chunked", b'e\r\n{"amount":100}\r\n'),
        ("chunked", b'e\r\n{"amount":100}\r\nZZ\r\n'),
        ("chunked", b'ff\r\n{"amount":100}'),
        ("gzip, chunked", b'e\r\n{"amount":100}\r\n0\r\n\r\n'),
    ],
    ids=["complete", "truncated", "malformed", "short chunk", "compressed"],
)
def test_body_without_a_declared_length_writes_no_check(
    system: RunningSystem, user: DemoUser, coding: str, body: bytes
) -> None:
    checks = len(user.active())
    head = CHUNKED.format(coding=coding, session=user.session_id).encode()
    response = exchange(system.gateway_url, head + body, end=True)
    assert response.status in (0, 400, 411, 422), response
    assert len(user.active()) == checks


def test_complete_chunked_body_is_told_to_declare_its_length(system: RunningSystem, user: DemoUser) -> None:
    head = CHUNKED.format(coding="chunked", session=user.session_id).encode()
    response = exchange(system.gateway_url, head + b"0\r\n\r\n")
    assert (response.status, response.json()["code"]) == (411, "length_required")


def test_body_shorter_than_declared_writes_no_check(system: RunningSystem, user: DemoUser) -> None:
    checks = len(user.active())
    request = message("POST", "/fastcheck", b'{"amount":100}', Authorization=f"Bearer {user.session_id}")
    request = request.replace(b"Content-Length: 14", b"Content-Length: 15")
    assert exchange(system.gateway_url, request, end=True).status in (0, 400)
    assert len(user.active()) == checks


@pytest.mark.parametrize("hosts", ["", "Host: a\r\nHost: b\r\n", "Host:\r\n"], ids=["none", "two", "empty"])
@pytest.mark.parametrize("path", ["/me", "/balance", "/bank/webhook/sber"])
def test_http_1_1_without_exactly_one_host_is_rejected(
    system: RunningSystem, user: DemoUser, path: str, hosts: str
) -> None:
    request = f"GET {path} HTTP/1.1\r\n{hosts}Authorization: Bearer {user.session_id}\r\n\r\n".encode()
    response = exchange(system.gateway_url, request)
    assert response.status == 400
    # Two different hosts are rejected by the proxy's parser, with a page of its own.
    if hosts.count("Host") < 2:
        assert json.loads(response.body)["code"] == "invalid_request"


def test_bare_line_feeds_frame_one_request_only(system: RunningSystem, user: DemoUser) -> None:
    """HAProxy accepts a line feed without a carriage return (RFC 9112, section 2.2, permits it).

    That is harmless because no other parser sees the bytes: HAProxy sends the request on with CRLF.
    """
    lines = ["GET /me HTTP/1.1", "Host: x", f"Authorization: Bearer {user.session_id}", "", ""]
    bare, regular = (exchange(system.gateway_url, end.join(lines).encode()) for end in ("\n", "\r\n"))
    assert bare.status == regular.status == 200
    assert bare.body == regular.body
