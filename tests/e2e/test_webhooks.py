"""Webhooks of a running system: real events over the bus, verified by the official library as the receiver."""

from typing import Any

from standardwebhooks import Webhook

from tests.support.eventually import eventually
from tests.support.scripted_server import Peer, ScriptedServer, ok
from tests.support.system import RunningSystem
from tests.support.users import create_user, send, top_up

TIMEOUT_SECONDS = 60.0


class Receiver:
    """Verifies each request with the secret of the webhook, and keeps the payloads by their ids."""

    def __init__(self) -> None:
        self.server = ScriptedServer(self._serve)
        self.secret = ""
        self.events: dict[str, dict[str, Any]] = {}

    def _serve(self, peer: Peer) -> None:
        head, _, body = peer.read_request().partition(b"\r\n\r\n")
        lines = (line.partition(": ") for line in head.decode().split("\r\n"))
        headers = {name.lower(): value for name, _, value in lines}
        self.events[headers["webhook-id"]] = Webhook(self.secret).verify(body, headers)
        peer.send(ok(b"", "Connection: close"))


def test_receiver_gets_every_event_of_a_user_in_order(system: RunningSystem) -> None:
    receiver = Receiver()
    with receiver.server:
        url = system.gateway_url
        anna, boris = create_user(url), create_user(url)
        made = send(anna, url, "POST", "/webhooks", {"url": receiver.server.url}).json()
        receiver.secret = made["secret"]
        transaction_id = top_up(anna, url, 50_000)
        accepted, cancelled, expired = (
            anna.create_check(amount, **more) for amount, more in ((100, {}), (200, {}), (300, {"expiresIn": 1}))
        )
        boris.post("/fastcheck/accept", {"fastcheck": accepted["fastcheck"], "code": accepted["code"]})
        anna.post(f"/fastcheck/{cancelled['fastcheck']}/cancel")
        expected = {
            "topup.confirmed": [transaction_id],
            "check.created": [check["fastcheck"] for check in (accepted, cancelled, expired)],
            "check.accepted": [accepted["fastcheck"]],
            "check.cancelled": [cancelled["fastcheck"]],
            "check.expired": [expired["fastcheck"]],
        }

        def received() -> dict[str, list[str]]:
            found: dict[str, list[str]] = {}
            for event in list(receiver.events.values()):
                data = event["data"]
                found.setdefault(event["type"], []).append(data.get("fastcheck") or data["transactionID"])
            return {kind: sorted(subjects) for kind, subjects in found.items()}

        eventually(
            lambda: received() == {kind: sorted(each) for kind, each in expected.items()}, timeout=TIMEOUT_SECONDS
        )
        codes = {check["code"] for check in (accepted, cancelled, expired)}
        order: dict[str, list[str]] = {}
        for event in receiver.events.values():
            assert "code" not in event["data"]
            assert codes.isdisjoint(map(str, event["data"].values()))
            order.setdefault(event["data"].get("fastcheck", ""), []).append(event["type"])
        assert all(types[0] == "check.created" for number, types in order.items() if number)
        deliveries = send(anna, url, "GET", f"/webhooks/{made['id']}/deliveries").json()["deliveries"]
        assert {delivery["messageID"] for delivery in deliveries} == set(receiver.events)
        eventually(
            lambda: all(
                each["status"] == "delivered"
                for each in send(anna, url, "GET", f"/webhooks/{made['id']}/deliveries").json()["deliveries"]
            )
        )
