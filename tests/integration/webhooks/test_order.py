"""Events of one check are delivered in order."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from tests.integration.webhooks.conftest import CheckEvents, Json, Receiver, System


def types_of(payloads: list[Json]) -> list[str]:
    return [payload["type"] for payload in payloads]


def test_end_of_a_check_waits_for_the_delivery_of_its_creation(
    system: System, make_receiver: Callable[..., Receiver]
) -> None:
    user, receiver = uuid4(), make_receiver(500, 204)
    made = system.create(user, receiver.url)
    check, other = CheckEvents(user, system.clock.now()), CheckEvents(user, system.clock.now())
    system.publish(check.created, check.accepted)
    assert system.deliver() == 1, "the creation failed, and the end waits"
    assert system.deliver() == 0
    system.publish(other.created)
    assert system.deliver() == 1, "another check does not wait"
    system.clock.advance(seconds=5)
    assert [system.deliver(), system.deliver()] == [1, 1]
    sent = receiver.verified(made["secret"])
    assert types_of(sent) == ["check.created", "check.created", "check.created", "check.accepted"]


def test_end_that_is_received_first_waits_for_the_creation(system: System, receiver: Receiver) -> None:
    user = uuid4()
    made = system.create(user, receiver.url)
    check = CheckEvents(user, system.clock.now())
    system.publish(check.cancelled)
    system.clock.advance(seconds=10)
    assert system.deliver() == 0
    system.publish(check.created)
    assert [system.deliver(), system.deliver()] == [1, 1]
    assert types_of(receiver.verified(made["secret"])) == ["check.created", "check.cancelled"]


def test_wait_for_a_creation_that_never_comes_ends(system: System, receiver: Receiver) -> None:
    user = uuid4()
    system.create(user, receiver.url)
    system.publish(CheckEvents(user, system.clock.now()).cancelled)
    system.clock.advance(seconds=31)
    assert system.deliver() == 1


def test_end_of_a_check_that_is_older_than_the_webhook_does_not_wait(system: System, receiver: Receiver) -> None:
    user = uuid4()
    older = CheckEvents(user, system.clock.now() - timedelta(seconds=1))
    system.create(user, receiver.url)
    system.publish(older.cancelled)
    system.clock.advance(seconds=1)
    assert system.deliver() == 1


def test_webhook_without_creations_does_not_wait_for_them(system: System, receiver: Receiver) -> None:
    user = uuid4()
    system.create(user, receiver.url, ["check.cancelled"])
    system.publish(CheckEvents(user, system.clock.now()).cancelled)
    system.clock.advance(seconds=1)
    assert system.deliver() == 1
