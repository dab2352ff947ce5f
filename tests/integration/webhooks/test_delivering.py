"""Events become deliveries: to whom, in which order, how often, and until when."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

from common.contracts.events import pack
from common.core.clock import format_utc
from services.webhooks import service, tasks
from services.webhooks.models import RETRY_DELAYS_SECONDS, Outcome
from tests.integration.webhooks.conftest import CheckEvents, Json, Receiver, System, topup_of


def webhook_ids(receiver: Receiver) -> list[str]:
    return [headers["webhook-id"] for headers, _ in receiver.received]


def test_official_library_verifies_a_delivery(system: System, receiver: Receiver) -> None:
    user = uuid4()
    made = system.create(user, receiver.url)
    check = CheckEvents(user, system.clock.now())
    system.publish(check.created)
    assert system.deliver() == 1
    (payload,) = receiver.verified(made["secret"])
    assert payload["type"] == "check.created"
    assert payload["data"]["note"] == "На обед"
    ((headers, _),) = receiver.received
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == "FastCheck-Webhooks/1"
    now = format_utc(system.clock.now())
    assert system.deliveries(user, made) == [
        {
            "id": system.deliveries(user, made)[0]["id"],
            "messageID": headers["webhook-id"],
            "event": "check.created",
            "status": "delivered",
            "attempts": 1,
            "createdAt": system.deliveries(user, made)[0]["createdAt"],
            "lastAttemptAt": now,
            "deliveredAt": now,
            "responseStatus": 204,
        }
    ]


def test_event_goes_to_every_webhook_that_wants_its_type(
    system: System, make_receiver: Callable[..., Receiver]
) -> None:
    user = uuid4()
    everything, topups, other = make_receiver(), make_receiver(), make_receiver()
    system.create(user, everything.url)
    system.create(user, topups.url, ["topup.confirmed"])
    system.create(uuid4(), other.url)
    check = CheckEvents(user, system.clock.now())
    system.publish(check.created, topup_of(user))
    assert system.deliver() == 3
    assert len(everything.received) == 2
    assert [b"topup.confirmed" in body for _, body in topups.received] == [True]
    assert other.received == []


def test_creator_and_acceptor_each_get_their_side(system: System, make_receiver: Callable[..., Receiver]) -> None:
    creator, acceptor = make_receiver(), make_receiver()
    check = CheckEvents(uuid4(), system.clock.now() - timedelta(hours=1))
    secrets = [
        system.create(check.creator, creator.url)["secret"],
        system.create(check.acceptor, acceptor.url)["secret"],
    ]
    system.publish(check.accepted)
    system.deliver()
    found = [receiver.verified(secret) for receiver, secret in zip((creator, acceptor), secrets, strict=True)]
    assert [[payload["data"]["type"] for payload in each] for each in found] == [["created"], ["accepted"]]


def test_event_received_twice_and_twice_at_once_is_one_delivery(system: System, receiver: Receiver) -> None:
    user = uuid4()
    system.create(user, receiver.url)
    event = pack(topup_of(user))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: system.inbox.receive("payments", [event]), range(4)))
    # The id is purged from the inbox, and the event is sent once more.
    system.rows("DELETE FROM inbox")
    system.inbox.receive("payments", [event])
    assert system.deliver() == 1
    assert len(receiver.received) == 1


def test_user_without_a_webhook_leaves_nothing(system: System) -> None:
    system.publish(topup_of(uuid4()))
    assert system.rows("SELECT 1 FROM messages") == []


def test_failed_attempt_is_repeated_with_the_same_id_and_a_growing_delay(
    system: System, make_receiver: Callable[..., Receiver]
) -> None:
    user, receiver = uuid4(), make_receiver(500, 302, 404, 204)
    made = system.create(user, receiver.url)
    system.publish(topup_of(user))
    system.clock.advance(seconds=1)
    for number, seconds in enumerate(RETRY_DELAYS_SECONDS[:3]):
        assert system.deliver() == 1
        (delivery,) = system.deliveries(user, made)
        assert (delivery["status"], delivery["attempts"]) == ("pending", number + 1)
        assert delivery["nextAttemptAt"] == format_utc(system.clock.now() + timedelta(seconds=seconds))
        assert delivery["error"] == f"the receiver responded {delivery['responseStatus']}"
        system.clock.advance(seconds=seconds - 1)
        assert system.deliver() == 0
        system.clock.advance(seconds=1)
    assert system.deliver() == 1
    (delivery,) = system.deliveries(user, made)
    assert delivery["status"] == "delivered"
    assert "error" not in delivery
    assert len(webhook_ids(receiver)) == 4
    assert len(set(webhook_ids(receiver))) == 1
    timestamps = [int(headers["webhook-timestamp"]) for headers, _ in receiver.received]
    assert timestamps == sorted(set(timestamps)), "each attempt is signed anew"


def disable(system: System, user: UUID, made: Json) -> None:
    """Let the deliveries fail for three days."""
    for _ in range(40):
        system.deliver()
        system.clock.advance(hours=2)
    assert system.webhook(user)["status"] == "disabled", system.deliveries(user, made)


def test_receiver_that_fails_for_three_days_is_disabled_with_a_notice(
    system: System, make_receiver: Callable[..., Receiver]
) -> None:
    user, receiver = uuid4(), make_receiver(500)
    made = system.create(user, receiver.url)
    system.publish(topup_of(user))
    system.clock.advance(hours=2)
    started_at = system.clock.now()
    while system.webhook(user)["status"] == "enabled":
        system.deliver()
        assert system.clock.now() - started_at < timedelta(days=4)
        system.clock.advance(minutes=30)
    lasted = system.clock.now() - started_at
    assert timedelta(days=3) <= lasted < timedelta(days=3, hours=1)
    webhook = system.webhook(user)
    assert "has not accepted an event for 3 days" in webhook["notice"]
    assert webhook["disabledAt"]
    (delivery,) = system.deliveries(user, made)
    assert delivery["status"] == "failed"
    assert 12 < delivery["attempts"] < 20
    system.publish(topup_of(user))
    assert len(system.deliveries(user, made)) == 1, "a disabled webhook gets no events"


def test_other_deliveries_of_a_disabled_webhook_end(system: System, make_receiver: Callable[..., Receiver]) -> None:
    user, receiver = uuid4(), make_receiver(410)
    made = system.create(user, receiver.url)
    system.publish(topup_of(user))
    system.clock.advance(seconds=1)
    claimed = service._claim(system.context)
    system.publish(topup_of(user))
    service._record(system.context, claimed[0], service._send(system.context, claimed[0]))
    assert system.webhook(user)["notice"].startswith("disabled: the receiver responded 410 Gone")
    assert [item["status"] for item in system.deliveries(user, made)] == ["failed", "failed"]
    assert system.deliveries(user, made)[0]["error"] == "the webhook was disabled"


def test_one_event_that_a_working_receiver_rejects_does_not_disable_it(
    system: System, make_receiver: Callable[..., Receiver]
) -> None:
    user, receiver = uuid4(), make_receiver(500)
    made = system.create(user, receiver.url)
    system.publish(topup_of(user))
    for _ in range(36):
        system.deliver()
        system.clock.advance(hours=1)
    receiver.statuses = [204]
    system.publish(topup_of(user))
    claimed = [each for each in service._claim(system.context) if each.delivery.attempts == 1]
    service._record(system.context, claimed[0], service._send(system.context, claimed[0]))
    receiver.statuses = [500]
    for _ in range(50):
        system.deliver()
        system.clock.advance(hours=1)
    assert system.webhook(user)["status"] == "enabled"
    assert [item["status"] for item in system.deliveries(user, made)] == ["delivered", "failed"]


def test_replay_of_a_disabled_webhook_is_one_attempt_and_its_success_enables(
    system: System, make_receiver: Callable[..., Receiver]
) -> None:
    user, receiver = uuid4(), make_receiver(500)
    made = system.create(user, receiver.url)
    system.publish(topup_of(user))
    disable(system, user, made)
    (delivery,) = system.deliveries(user, made)
    response = system.replay(user, made, delivery)
    assert (response.status_code, response.get_json()["status"]) == (202, "pending")
    assert system.deliver() == 1
    assert system.deliveries(user, made)[0]["status"] == "failed"
    receiver.statuses = [204]
    system.replay(user, made, delivery)
    assert system.deliver() == 1
    assert system.deliveries(user, made)[0]["status"] == "delivered"
    webhook = system.webhook(user)
    assert webhook["status"] == "enabled"
    assert webhook.keys().isdisjoint({"notice", "disabledAt"})
    assert len(set(webhook_ids(receiver))) == 1


def test_delivered_message_can_be_replayed(system: System, receiver: Receiver) -> None:
    user = uuid4()
    made = system.create(user, receiver.url)
    system.publish(topup_of(user))
    system.clock.advance(seconds=1)
    system.deliver()
    (delivery,) = system.deliveries(user, made)
    system.replay(user, made, delivery)
    system.deliver()
    assert len(receiver.verified(made["secret"])) == 2
    assert len(set(webhook_ids(receiver))) == 1
    assert system.deliveries(user, made)[0]["attempts"] == 2


def test_unknown_delivery_cannot_be_replayed(system: System, receiver: Receiver) -> None:
    user = uuid4()
    made, other = system.create(user, receiver.url), system.create(user, receiver.url, ["check.created"])
    system.publish(topup_of(user))
    (delivery,) = system.deliveries(user, made)
    for webhook, delivery_id in ((made, uuid4()), (other, delivery["id"])):
        response = system.replay(user, webhook, {"id": delivery_id})
        assert (response.status_code, response.get_json()["code"]) == (404, "delivery_not_found")


def test_lease_ends_when_its_process_dies_and_a_late_outcome_is_ignored(system: System, receiver: Receiver) -> None:
    user = uuid4()
    made = system.create(user, receiver.url)
    system.publish(topup_of(user))
    system.clock.advance(seconds=1)
    (lost,) = service._claim(system.context)
    assert system.deliver() == 0, "another process holds the lease"
    system.clock.advance(seconds=66)
    assert system.deliver() == 1
    service._record(system.context, lost, Outcome(500, "the receiver responded 500"))
    (delivery,) = system.deliveries(user, made)
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 2)


def test_concurrent_processes_attempt_each_delivery_once(system: System, receiver: Receiver) -> None:
    user = uuid4()
    system.create(user, receiver.url)
    system.publish(*(topup_of(user) for _ in range(40)))
    system.clock.advance(seconds=1)
    while True:
        with ThreadPoolExecutor(4) as pool:
            if sum(pool.map(lambda _: system.deliver(), range(4))) == 0:
                break
    assert len(webhook_ids(receiver)) == len(set(webhook_ids(receiver))) == 40


def test_no_transaction_is_open_during_an_attempt(system: System, receiver: Receiver) -> None:
    user = uuid4()
    system.create(user, receiver.url)
    system.publish(topup_of(user))
    system.clock.advance(seconds=1)
    seen: list[int] = []
    send = system.context.sender.send

    def looking(*arguments: object) -> object:
        query = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        )
        seen.append(len(system.rows(query)))
        return send(*arguments)  # type: ignore[arg-type]

    system.context.sender.send = looking  # type: ignore[method-assign,assignment]
    assert system.deliver() == 1
    assert seen == [0]


def test_webhook_with_a_backlog_leaves_places_to_others(system: System, make_receiver: Callable[..., Receiver]) -> None:
    busy, quiet = uuid4(), uuid4()
    system.create(busy, make_receiver().url)
    system.create(quiet, make_receiver().url)
    system.publish(*(topup_of(busy) for _ in range(40)), topup_of(quiet))
    system.clock.advance(seconds=1)
    claimed = service._claim(system.context)
    assert len(claimed) == service.PER_WEBHOOK + 1
    assert len({each.delivery.webhook_id for each in claimed}) == 2


def test_receiver_that_keeps_failing_pauses_with_all_its_deliveries(
    system: System, make_receiver: Callable[..., Receiver]
) -> None:
    user, receiver = uuid4(), make_receiver(500)
    made = system.create(user, receiver.url)
    system.publish(*(topup_of(user) for _ in range(20)))
    system.clock.advance(seconds=1)
    assert [system.deliver(), system.deliver(), system.deliver()] == [4, 4, 0]
    system.clock.advance(seconds=600)
    receiver.statuses = [204]
    while system.deliver():
        pass
    assert {item["status"] for item in system.deliveries(user, made)} == {"delivered"}


def test_replay_ends_a_pause(system: System, make_receiver: Callable[..., Receiver]) -> None:
    user, receiver = uuid4(), make_receiver(500)
    made = system.create(user, receiver.url)
    system.publish(*(topup_of(user) for _ in range(8)))
    system.clock.advance(seconds=1)
    assert [system.deliver(), system.deliver(), system.deliver()] == [4, 4, 0]
    system.replay(user, made, system.deliveries(user, made)[0])
    assert system.deliver() == 1


def test_slots_limit_the_batches_of_a_process(system: System, receiver: Receiver) -> None:
    user = uuid4()
    system.create(user, receiver.url)
    system.publish(topup_of(user))
    system.clock.advance(seconds=1)
    slots = threading.BoundedSemaphore(1)
    with slots:
        tasks.deliver_due(system.context, slots)
        assert receiver.received == []
    tasks.deliver_due(system.context, slots)
    assert len(receiver.received) == 1


def test_old_deliveries_are_purged_and_pending_ones_stay(
    system: System, make_receiver: Callable[..., Receiver]
) -> None:
    user = uuid4()
    made = system.create(user, make_receiver().url)
    system.publish(topup_of(user))
    system.clock.advance(seconds=1)
    system.deliver()
    system.publish(topup_of(user))
    system.clock.advance(days=29)
    tasks.purge_old_records(system.context)
    assert len(system.deliveries(user, made)) == 2
    system.clock.advance(days=2)
    tasks.purge_old_records(system.context)
    (left,) = system.deliveries(user, made)
    assert left["status"] == "pending"
    assert len(system.rows("SELECT 1 FROM messages")) == 1
