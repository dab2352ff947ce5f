"""What a program with the secrets of one service cannot do over Redis: create money, or sign in as a user."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg2
import pytest
import redis
import requests
from pydantic import SecretStr
from redis.exceptions import NoPermissionError

from common.bus.celery_app import create_celery
from common.bus.signatures import Kind, MessageKeys
from common.bus.topology import acknowledge_task, acknowledgements_queue, consume_task, events_queue
from common.contracts.events import CheckExpired, Event, PaymentConfirmed, pack
from common.core.settings import BusSettings
from deploy import redis_users
from deploy.credentials import Credentials
from deploy.environment import BROKER_DATABASE, CACHE_DATABASE
from launcher import stored_credentials
from launcher.data_dir import DataDir
from launcher.demo.user import DemoUser
from tests.support.eventually import eventually
from tests.support.system import RunningSystem
from tests.support.users import create_user, send

TIMEOUT = 20
#: The name of the attackers' connections in Redis's log of refused commands.
ATTACK = "attack"


@pytest.fixture(scope="module")
def stolen(system: RunningSystem) -> Credentials:
    """Return the secrets of the system, of which each attack uses those of one service."""
    found = stored_credentials.load(DataDir(system.data_dir))
    assert found is not None
    return found


@pytest.fixture
def user(system: RunningSystem) -> DemoUser:
    return create_user(system.gateway_url)


@contextmanager
def as_service(system: RunningSystem, stolen: Credentials, service: str, number: int) -> Iterator[Any]:
    """Connect to Redis with the password of a service."""
    address = system.redis_url.rpartition("@")[2].partition("/")[0]
    url = redis_users.url(service, stolen.redis_passwords[service], address, number)
    client = redis.Redis.from_url(url, client_name=ATTACK)
    yield client
    client.close()


def keys(stolen: Credentials, service: str) -> MessageKeys:
    return MessageKeys(service, stolen.token_keys[service], stolen.public_keys())


def user_id(user: DemoUser, system: RunningSystem) -> UUID:
    connection = psycopg2.connect(system.database_url("accounts"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_id FROM users WHERE login = %s", (user.login,))
        row = cursor.fetchone()
    connection.close()
    assert row is not None
    return UUID(row[0])


def send_to_balance(system: RunningSystem, sender: str, events: list[Event], signature: Callable[[Any], Any]) -> None:
    """Send a message as the administrator of Redis, whom no rule binds."""
    app = create_celery("payments", BusSettings(broker_url=SecretStr(system.redis_url)))
    wire = [pack(event).to_wire() for event in events]
    signed = signature(wire)
    arguments = [sender, wire] if signed is None else [sender, wire, signed]
    app.send_task(consume_task("balance"), args=arguments, queue=events_queue("balance"))
    app.close()


def rejections(system: RunningSystem, service: str, reason: str) -> int:
    """Return the number of rejected messages in the log of a service's worker."""
    found = lines(system, service, "message_rejected")
    return sum(line["reason"] == reason and line["level"] == "error" for line in found)


def consumed(system: RunningSystem) -> int:
    """Return the number of messages of payments that balance has accepted."""
    return sum(line["source"] == "payments" for line in lines(system, "balance", "events_consumed"))


def lines(system: RunningSystem, service: str, event: str) -> list[dict[str, Any]]:
    """Return the lines with an event in the log of a service's worker."""
    text = (system.data_dir / "logs" / f"{service}-worker.log").read_text()
    return [json.loads(line) for line in text.splitlines(keepends=True) if f'"{event}"' in line and line.endswith("\n")]


def is_rejected(system: RunningSystem, service: str, reason: str, before: int) -> None:
    """Wait until the worker has rejected one more message."""
    eventually(lambda: rejections(system, service, reason) == before + 1, timeout=TIMEOUT)


def confirmed(user_id: UUID) -> PaymentConfirmed:
    return PaymentConfirmed(uuid4(), user_id, "tbank", 100_000, "RUB", datetime.now(UTC))


def expired(user_id: UUID) -> CheckExpired:
    return CheckExpired(uuid4(), "1234-5678-0001", user_id, 100_000, "RUB", datetime.now(UTC))


FORGERIES: dict[str, tuple[str, str, Callable[[Credentials, Any], Any]]] = {
    "unsigned": ("payments", "unsigned", lambda _stolen, _wire: None),
    "signed by the gateway as payments": (
        "payments",
        "wrong_signature",
        lambda stolen, wire: keys(stolen, "gateway").sign(Kind.EVENTS, "balance", wire),
    ),
    "signed by the gateway as the gateway": (
        "gateway",
        "not_allowed",
        lambda stolen, wire: keys(stolen, "gateway").sign(Kind.EVENTS, "balance", wire),
    ),
    "signed by checks as checks": (
        "checks",
        "not_allowed",
        lambda stolen, wire: keys(stolen, "checks").sign(Kind.EVENTS, "balance", wire),
    ),
    "signed by checks as payments": (
        "payments",
        "wrong_signature",
        lambda stolen, wire: keys(stolen, "checks").sign(Kind.EVENTS, "balance", wire),
    ),
    "signed by payments for another receiver": (
        "payments",
        "wrong_signature",
        lambda stolen, wire: keys(stolen, "payments").sign(Kind.EVENTS, "checks", wire),
    ),
    "signed by payments as an acknowledgement": (
        "payments",
        "wrong_signature",
        lambda stolen, wire: keys(stolen, "payments").sign(Kind.ACKNOWLEDGEMENTS, "balance", wire),
    ),
    "signed by payments for another content": (
        "payments",
        "wrong_signature",
        lambda stolen, wire: keys(stolen, "payments").sign(Kind.EVENTS, "balance", [{**wire[0], "request_id": "x"}]),
    ),
    "an unknown sender": ("bank", "unknown_sender", lambda _stolen, _wire: "AAAA"),
    "no base64": ("payments", "malformed", lambda _stolen, _wire: "*"),
    "no text": ("payments", "malformed", lambda _stolen, _wire: 7),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_invented_payment_creates_no_money(
    forgery: str, system: RunningSystem, stolen: Credentials, user: DemoUser
) -> None:
    sender, reason, sign = FORGERIES[forgery]
    before = rejections(system, "balance", reason)
    send_to_balance(system, sender, [confirmed(user_id(user, system))], lambda wire: sign(stolen, wire))
    is_rejected(system, "balance", reason, before)
    assert user.balance() == 0


def test_payments_cannot_release_the_money_of_a_check(
    system: RunningSystem, stolen: Credentials, user: DemoUser
) -> None:
    before = rejections(system, "balance", "not_allowed")
    event = expired(user_id(user, system))
    payment = confirmed(user_id(user, system))
    # The permitted event of the same message has no effect either.
    sign = keys(stolen, "payments").sign
    send_to_balance(system, "payments", [payment, event], lambda wire: sign(Kind.EVENTS, "balance", wire))
    is_rejected(system, "balance", "not_allowed", before)
    assert user.balance() == 0


def test_signed_message_takes_effect_once_however_often_it_is_replayed(
    system: RunningSystem, stolen: Credentials, user: DemoUser
) -> None:
    event = confirmed(user_id(user, system))
    sign = keys(stolen, "payments").sign
    before = consumed(system)
    for _ in range(3):
        send_to_balance(system, "payments", [event], lambda wire: sign(Kind.EVENTS, "balance", wire))
    eventually(lambda: consumed(system) >= before + 3, timeout=TIMEOUT)
    assert user.balance() == 100_000


@pytest.mark.parametrize("sender", ["gateway", "checks", "payments"])
def test_acknowledgement_that_balance_has_not_signed_closes_no_event(
    sender: str, system: RunningSystem, stolen: Credentials
) -> None:
    app = create_celery("balance", BusSettings(broker_url=SecretStr(system.redis_url)))
    before = rejections(system, "payments", "wrong_signature")
    wire = [str(uuid4())]
    signature = keys(stolen, sender).sign(Kind.ACKNOWLEDGEMENTS, "payments", wire)
    queue = acknowledgements_queue("payments")
    app.send_task(acknowledge_task("payments"), args=["balance", wire, signature], queue=queue)
    app.close()
    is_rejected(system, "payments", "wrong_signature", before)


SESSION = "verified:" + hashlib.sha256(b"0" * 32).hexdigest()
#: (service whose password is stolen, number of the database, command)
FORBIDDEN = [
    ("gateway", BROKER_DATABASE, ("LPUSH", "balance.events", "{}")),
    ("gateway", BROKER_DATABASE, ("LLEN", "balance.events")),
    ("gateway", CACHE_DATABASE, ("FLUSHDB",)),
    ("gateway", CACHE_DATABASE, ("KEYS", "*")),
    ("gateway", CACHE_DATABASE, ("SET", "other", "x")),
    ("checks", CACHE_DATABASE, ("SET", SESSION, "x")),
    ("payments", CACHE_DATABASE, ("SET", SESSION, "x")),
    ("balance", CACHE_DATABASE, ("SET", SESSION, "x")),
    ("balance", CACHE_DATABASE, ("GET", SESSION)),
    # A sender cannot read back what it has sent.
    ("checks", BROKER_DATABASE, ("RPOP", "balance.events")),
    ("payments", BROKER_DATABASE, ("RPOP", "balance.events")),
    ("checks", BROKER_DATABASE, ("BRPOP", "balance.events", "payments.acknowledgements", "0.1")),
    ("checks", BROKER_DATABASE, ("LPUSH", "payments.acknowledgements", "{}")),
    ("checks", BROKER_DATABASE, ("LPUSH", "payments.schedule", "{}")),
    ("checks", BROKER_DATABASE, ("LPUSH", "balance.schedule", "{}")),
    ("checks", BROKER_DATABASE, ("HSET", "balance.unacked", "x", "y")),
    ("payments", BROKER_DATABASE, ("LPUSH", "checks.acknowledgements", "{}")),
    ("balance", BROKER_DATABASE, ("LPUSH", "checks.schedule", "{}")),
    ("balance", BROKER_DATABASE, ("RPOP", "checks.acknowledgements")),
    *((name, BROKER_DATABASE, ("CONFIG", "GET", "*")) for name in ("gateway", "balance", "checks", "payments")),
    *((name, BROKER_DATABASE, ("ACL", "LIST")) for name in ("gateway", "balance", "checks", "payments")),
    *((name, BROKER_DATABASE, ("FLUSHALL",)) for name in ("gateway", "balance", "checks", "payments")),
    *((name, BROKER_DATABASE, ("PUBLISH", "x", "y")) for name in ("gateway", "balance", "checks", "payments")),
]


@pytest.mark.parametrize(("service", "number", "command"), FORBIDDEN)
def test_user_of_a_service_is_refused(
    service: str, number: int, command: tuple[str, ...], system: RunningSystem, stolen: Credentials
) -> None:
    with as_service(system, stolen, service, number) as client:
        assert client.ping()
        with pytest.raises(NoPermissionError):
            client.execute_command(*command)


def test_rules_refuse_nothing_that_the_services_do(system: RunningSystem) -> None:
    client = redis.Redis.from_url(system.redis_url, decode_responses=True)
    client.acl_log_reset()
    creator, recipient = create_user(system.gateway_url, kopecks=10_000), create_user(system.gateway_url)
    check = creator.post("/fastcheck", {"amount": 1_000, "expiresIn": 2}, 201)
    eventually(lambda: creator.balance() == 10_000, timeout=TIMEOUT)
    check = creator.post("/fastcheck", {"amount": 1_000}, 201)
    recipient.post("/fastcheck/accept", {"fastcheck": check["fastcheck"], "code": check["code"]}, 200)
    send(recipient, system.gateway_url, "POST", "/logout")
    log: Any = client.acl_log()
    refused = [entry for entry in log if entry["client-info"]["name"] != ATTACK]
    client.close()
    assert refused == []


FORGED_SEALS = {
    "none": lambda _session, user_id: f"{user_id} 0",
    "of an old version": lambda _session, user_id: f"{user_id} {2**52}",
    "invented": lambda _session, user_id: f"{user_id} 1 {2**52} {'0' * 64}",
    "not ASCII": lambda _session, user_id: f"{user_id} 1 {2**52} \u0447",
}


@pytest.mark.parametrize("seal", FORGED_SEALS)
def test_forged_session_is_ignored(seal: str, system: RunningSystem, user: DemoUser) -> None:
    session = uuid4().hex.upper()
    key = f"verified:{hashlib.sha256(session.encode()).hexdigest()}"
    client = redis.Redis.from_url(system.redis_url.rpartition("/")[0] + f"/{CACHE_DATABASE}")
    client.set(key, FORGED_SEALS[seal](session, user_id(user, system)))
    headers = {"Authorization": f"Bearer {session}"}
    assert requests.get(f"{system.gateway_url}/balance", headers=headers, timeout=TIMEOUT).status_code == 401
    client.delete(key)
    client.close()


def test_cached_session_of_another_user_cannot_be_moved(system: RunningSystem, user: DemoUser) -> None:
    victim = create_user(system.gateway_url)
    assert send(victim, system.gateway_url, "GET", "/balance").status_code == 200
    client = redis.Redis.from_url(system.redis_url.rpartition("/")[0] + f"/{CACHE_DATABASE}")
    entry = client.get(_key_of(victim))
    assert entry is not None
    client.set(_key_of(user), entry)
    me = send(user, system.gateway_url, "GET", "/me")
    assert me.status_code == 200
    assert me.json()["login"] == user.login
    client.close()


def _key_of(user: DemoUser) -> str:
    return f"verified:{hashlib.sha256(user.session_id.encode()).hexdigest()}"
