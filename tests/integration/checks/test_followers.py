"""Events for subscribers that follow users: of which users, and with which content."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from common.http.server.identity import TokenIssuer
from services.checks.lifecycle import service
from tests.integration.checks.checks_system import WEBHOOKS_KEY, ChecksSystem, Json


def follow(system: ChecksSystem, user_id: UUID) -> None:
    system.rows("INSERT INTO followed_users (user_id, subscriber) VALUES (:user_id, 'webhooks')", user_id=user_id)


def events(system: ChecksSystem) -> list[Json]:
    """Return the events that were written for webhooks, in order, with whether they are due."""
    return system.rows(
        "SELECT type, payload, request_id, available_at <= now() AS due FROM outbox"
        " WHERE subscriber = 'webhooks' ORDER BY created_at"
    )


@pytest.fixture(params=["alone", "in a group"])
def either(request: pytest.FixtureRequest) -> ChecksSystem:
    """A system whose requests run alone, and one whose requests join groups."""
    found: ChecksSystem = request.getfixturevalue("system" if request.param == "alone" else "grouped")
    return found


def test_life_of_a_check_of_a_followed_creator(either: ChecksSystem) -> None:
    creator, acceptor = either.new_user(3_000), either.new_user()
    follow(either, creator)
    accepted = either.create(creator, note="На обед")
    cancelled = either.create(creator)
    expiring = either.create(creator, expiresIn=60)
    assert either.accept(acceptor, accepted).status_code == 200
    assert either.cancel(creator, cancelled).status_code == 200
    either.clock.move(seconds=61)
    service.expire_due_checks(either.context, 10)
    found = events(either)
    assert [event["type"] for event in found] == [
        *["check.created.v1"] * 3,
        "check.accepted.v1",
        "check.cancelled.v1",
        "check.expired.v1",
    ]
    assert all(event["due"] for event in found), "followers get events without the delay of the command"
    row = either.stored(accepted)
    created_at = row["created_at"].astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert datetime.fromisoformat(created_at) == row["created_at"]
    common = {
        "check_id": str(row["check_id"]),
        "fastcheck": accepted["fastcheck"],
        "creator_id": str(creator),
        "amount_minor": 1_000,
        "currency": "RUB",
        "note": "На обед",
    }
    created, ended = found[0]["payload"], found[3]["payload"]
    assert {name: created[name] for name in common} == common
    assert datetime.fromisoformat(created["expires_at"]) == row["created_at"] + timedelta(days=7)
    assert datetime.fromisoformat(created["occurred_at"]) == row["created_at"]
    assert {name: ended[name] for name in common} == common
    assert ended["acceptor_id"] == str(acceptor)
    assert datetime.fromisoformat(ended["created_at"]) == row["created_at"]
    for event, check in ((found[4], cancelled), (found[5], expiring)):
        assert event["payload"]["fastcheck"] == check["fastcheck"]
        assert datetime.fromisoformat(event["payload"]["created_at"]) == either.stored(check)["created_at"]


def test_followed_acceptor_gets_the_acceptance_only(either: ChecksSystem) -> None:
    creator, acceptor = either.new_user(2_000), either.new_user()
    follow(either, acceptor)
    check = either.create(creator)
    either.create(creator)
    either.accept(acceptor, check)
    assert [event["type"] for event in events(either)] == ["check.accepted.v1"]


def test_users_that_nobody_follows_cause_no_event_for_followers(either: ChecksSystem) -> None:
    creator = either.new_user(1_000)
    follow(either, either.new_user())
    either.accept(either.new_user(), either.create(creator))
    assert events(either) == []


def test_rejected_check_is_not_created(either: ChecksSystem) -> None:
    creator = either.new_user(10)
    follow(either, creator)
    assert either.try_create(creator).status_code == 409
    assert events(either) == []


def test_repeated_creation_is_one_event(either: ChecksSystem) -> None:
    creator = either.new_user(2_000)
    follow(either, creator)
    for _ in range(2):
        assert either.try_create(creator, key="k").status_code == 201
    assert [event["type"] for event in events(either)] == ["check.created.v1"]


def test_check_whose_hold_is_decided_later_is_created_then(system: ChecksSystem) -> None:
    creator = system.new_user(1_000)
    follow(system, creator)
    system.balance.down()
    assert system.try_create(creator).status_code == 503
    assert events(system) == []
    system.balance.up()
    system.clock.move(seconds=120)
    service.finish_pending_checks(system.context, 10)
    assert [event["type"] for event in events(system)] == ["check.created.v1"]


def test_event_has_the_request_of_its_creation(either: ChecksSystem) -> None:
    creator = either.new_user(1_000)
    follow(either, creator)
    response = either.try_create(creator)
    assert [event["request_id"] for event in events(either)] == [response.headers["X-Request-ID"]]


def test_user_is_followed_by_an_internal_call_that_may_be_repeated(system: ChecksSystem) -> None:
    user, client = uuid4(), system.app.test_client()
    headers = {"Authorization": f"Bearer {TokenIssuer('webhooks', WEBHOOKS_KEY).issue('checks')}"}
    for _ in range(2):
        assert client.put(f"/internal/followed-users/{user}", headers=headers).status_code == 204
    assert system.rows("SELECT user_id, subscriber FROM followed_users") == [
        {"user_id": user, "subscriber": "webhooks"}
    ]
    assert client.put("/internal/followed-users/x", headers=headers).status_code == 400
