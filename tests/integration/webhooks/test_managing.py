"""Register, list, rotate and delete webhooks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from common.core.clock import format_utc
from services.webhooks.models import EventType
from tests.integration.webhooks.conftest import Receiver, System, topup_of

ALL = [event_type.value for event_type in EventType]
LOCAL = "http://127.0.0.1:9/hook"


def test_new_webhook_is_shown_with_its_secret_once(system: System) -> None:
    user = uuid4()
    made = system.create(user, LOCAL)
    assert made.pop("secret").startswith("whsec_")
    assert made == {
        "id": made["id"],
        "url": LOCAL,
        "events": ALL,
        "status": "enabled",
        "createdAt": format_utc(system.clock.now()),
    }
    assert system.webhook(user) == made
    assert system.publishers.followed == [user]


def test_secret_is_stored_encrypted(system: System) -> None:
    made = system.create(uuid4(), LOCAL)
    ((stored,),) = system.rows("SELECT secret_ciphertext FROM webhooks")
    assert made["secret"].removeprefix("whsec_").encode() not in bytes(stored)


def test_types_are_selected_once_each(system: System) -> None:
    made = system.create(uuid4(), LOCAL, ["topup.confirmed", "check.expired", "topup.confirmed"])
    assert made["events"] == ["topup.confirmed", "check.expired"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": ""},
        {"url": 1},
        {"url": LOCAL, "events": []},
        {"url": LOCAL, "events": ["check.used"]},
        {"url": LOCAL, "events": "check.created"},
        {"url": LOCAL, "secret": "whsec_x"},
    ],
)
def test_invalid_request_is_rejected(system: System, body: dict[str, object]) -> None:
    response = system.call("POST", "/webhooks", uuid4(), body)
    assert (response.status_code, response.get_json()["code"]) == (400, "invalid_request")
    assert system.publishers.followed == []


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "http://[::1]/", "https://169.254.169.254/latest", "https://unknown.invalid/", "x"]
)
def test_url_that_is_not_allowed_names_its_field(system: System, url: str) -> None:
    response = system.call("POST", "/webhooks", uuid4(), {"url": url})
    assert (response.status_code, response.get_json()["code"]) == (400, "webhook_url_not_allowed")
    assert set(response.get_json()["errors"]) == {"url"}


def test_user_has_at_most_five_under_concurrency(system: System) -> None:
    user = uuid4()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: system.call("POST", "/webhooks", user, {"url": LOCAL}), range(8)))
    codes = [response.status_code for response in found]
    assert sorted(codes) == [201] * 5 + [409] * 3
    refused = next(response for response in found if response.status_code == 409)
    assert refused.get_json()["code"] == "too_many_webhooks"
    assert system.create(uuid4(), LOCAL)["status"] == "enabled", "another user is not affected"
    listed = system.call("GET", "/webhooks", user).get_json()["webhooks"]
    system.call("DELETE", f"/webhooks/{listed[0]['id']}", user)
    assert system.call("POST", "/webhooks", user, {"url": LOCAL}).status_code == 201


def test_nothing_is_registered_while_a_publisher_is_down(system: System) -> None:
    user = uuid4()
    system.publishers.is_down = True
    assert system.call("POST", "/webhooks", user, {"url": LOCAL}).status_code == 503
    assert system.call("GET", "/webhooks", user).get_json() == {"webhooks": []}


def test_webhook_of_another_user_does_not_exist(system: System, receiver: Receiver) -> None:
    owner, other = uuid4(), uuid4()
    made = system.create(owner, receiver.url)
    system.publish(topup_of(owner))
    (delivery,) = system.deliveries(owner, made)
    path = f"/webhooks/{made['id']}"
    for method, target in (
        ("DELETE", path),
        ("POST", f"{path}/rotate"),
        ("GET", f"{path}/deliveries"),
        ("POST", f"{path}/deliveries/{delivery['id']}/replay"),
    ):
        response = system.call(method, target, other)
        assert (response.status_code, response.get_json()["code"]) == (404, "webhook_not_found"), target
    assert system.call("GET", "/webhooks", other).get_json() == {"webhooks": []}
    assert system.webhook(owner)["id"] == made["id"]


def test_deleted_webhook_gets_nothing(system: System, receiver: Receiver) -> None:
    user = uuid4()
    made = system.create(user, receiver.url)
    system.publish(topup_of(user))
    assert system.call("DELETE", f"/webhooks/{made['id']}", user).status_code == 204
    assert system.call("DELETE", f"/webhooks/{made['id']}", user).status_code == 404
    system.publish(topup_of(user))
    assert system.deliver() == 0
    assert receiver.received == []


def test_both_secrets_sign_during_the_overlap_and_the_new_one_after_it(system: System, receiver: Receiver) -> None:
    user = uuid4()
    old = system.create(user, receiver.url)
    new = system.call("POST", f"/webhooks/{old['id']}/rotate", user).get_json()
    assert new["secret"] != old["secret"]
    assert new["previousSecretUntil"] == format_utc(system.clock.now() + timedelta(hours=24))
    system.publish(topup_of(user))
    system.deliver()
    assert len(receiver.verified(old["secret"])) == len(receiver.verified(new["secret"])) == 1
    system.clock.advance(hours=24)
    system.publish(topup_of(user))
    system.deliver()
    signatures = [headers["webhook-signature"].split() for headers, _ in receiver.received]
    assert [len(each) for each in signatures] == [2, 1]


def test_third_secret_ends_the_first(system: System, receiver: Receiver) -> None:
    user = uuid4()
    made = system.create(user, receiver.url)
    secrets = [made["secret"]]
    secrets += [system.call("POST", f"/webhooks/{made['id']}/rotate", user).get_json()["secret"] for _ in range(2)]
    system.publish(topup_of(user))
    system.deliver()
    assert len(receiver.verified(secrets[1])) == len(receiver.verified(secrets[2])) == 1
    with pytest.raises(Exception, match="No matching signature"):
        receiver.verified(secrets[0])


def test_deliveries_are_listed_in_pages_newest_first(system: System, make_receiver: Callable[..., Receiver]) -> None:
    user = uuid4()
    made = system.create(user, make_receiver().url)
    system.publish(*(topup_of(user) for _ in range(5)))
    whole = [item["id"] for item in system.deliveries(user, made)]
    found, query = [], "?limit=2"
    while query:
        page = system.call("GET", f"/webhooks/{made['id']}/deliveries{query}", user).get_json()
        found += [item["id"] for item in page["deliveries"]]
        query = f"?limit=2&cursor={page['nextCursor']}" if "nextCursor" in page else ""
    assert found == whole
    assert len(set(found)) == 5
    bad = system.call("GET", f"/webhooks/{made['id']}/deliveries?cursor=x", user)
    assert bad.get_json()["errors"] == {"cursor": "is not a cursor of this list"}
