"""List, show, replay or discard events that are open, late or dead. Every action is recorded.

A replay takes the regular path: the event becomes due in the outbox of its publisher, the relay sends it, and the inbox
applies it unless it has taken effect before.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping

from cli.operators import store
from cli.operators.databases import PUBLISHERS, SERVICES, SUBSCRIBERS
from common.bus import dead_letters, operator_actions
from common.db.engine import Database
from deploy.failure import LaunchError

Databases = Mapping[str, Database]
STATES: Final = ("dead", "late", "open")


@dataclass(frozen=True, slots=True)
class EventLine:
    """One undelivered event. ``service``: where it is now; ``tries``: number of sends, or of attempts to apply it."""

    event_id: str
    state: str
    service: str
    type: str
    subject: str
    amount_minor: int | None
    currency: str | None
    since: datetime
    tries: int
    note: str

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "since": self.since.isoformat()}


@dataclass(frozen=True, slots=True)
class Undecided:
    """An operation without a final status after a long time."""

    kind: str
    subject: str
    amount_minor: int | None
    currency: str | None
    since: datetime
    why: str

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "since": self.since.isoformat()}


@dataclass(frozen=True, slots=True)
class Step:
    """One step in the history of an event."""

    at: datetime
    where: str
    what: str


@dataclass(slots=True)
class EventHistory:
    """One event with its state, payload and history."""

    event_id: str
    state: str = "unknown"
    type: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        steps = [{**asdict(step), "at": step.at.isoformat()} for step in self.steps]
        return {
            "event_id": self.event_id,
            "state": self.state,
            "type": self.type,
            "payload": self.payload,
            "history": steps,
        }


def list_events(databases: Databases, *, states: tuple[str, ...] = STATES, limit: int) -> list[EventLine]:
    """Return undelivered events: dead ones first, then late and open ones, each oldest first."""
    dead: dict[str, EventLine] = {}
    unfinished: dict[UUID, RowMapping] = {}
    for service in SUBSCRIBERS:
        with databases[service].autocommit() as tx:
            for row in store.parked_events(tx, limit):
                if row["is_released"] and _is_open(databases, row):
                    continue
                line = _line(row, "dead", service, payload=row["envelope"]["payload"], note=row["error"])
                dead[line.event_id] = line
            unfinished |= store.unfinished_events(tx, limit)
    lines = list(dead.values())
    for service in PUBLISHERS:
        with databases[service].autocommit() as tx:
            for row in store.open_events(tx, limit):
                known = unfinished.get(row["event_id"])
                note = f"{row['subscriber']}: {known['last_error']}" if known and known["last_error"] else ""
                line = _line(row, "late" if row["is_late"] else "open", service, payload=row["payload"], note=note)
                if line.event_id not in dead:
                    lines.append(line)
    lines.sort(key=lambda line: (STATES.index(line.state), line.since))
    return [line for line in lines if line.state in states][:limit]


def _is_open(databases: Databases, released: RowMapping) -> bool:
    """Return whether a released event is open in the outbox of its publisher."""
    with databases[released["source"]].autocommit() as tx:
        return any(row["closed_at"] is None for row in store.in_outbox(tx, released["event_id"]))


def _line(row: RowMapping, state: str, service: str, *, payload: Mapping[str, Any], note: str) -> EventLine:
    return EventLine(
        event_id=str(row["event_id"]),
        state=state,
        service=service,
        type=row["type"],
        subject=_subject(payload),
        amount_minor=payload.get("amount_minor"),
        currency=payload.get("currency"),
        since=row["parked_at"] if state == "dead" else row["created_at"],
        tries=row["attempts" if state == "dead" else "sends"],
        note=note,
    )


def _subject(payload: Mapping[str, Any]) -> str:
    for name, kind in (("check_id", "check"), ("topup_id", "top-up")):
        if name in payload:
            return f"{kind} {payload[name]}"
    return ""


def list_undecided(databases: Databases, *, limit: int) -> list[Undecided]:
    """Return checks, top-ups and refunds without a final status, and notifications that need an operator."""
    found = []
    for service in store.UNDECIDED:
        with databases[service].autocommit() as tx:
            found += [Undecided(**row) for row in store.undecided(tx, service, limit)]
    return sorted(found, key=lambda item: item.since)[:limit]


def show(databases: Databases, event_id: UUID) -> EventHistory:
    """One event with its history. Raise LaunchError if no service knows it."""
    history = EventHistory(str(event_id))
    for service in PUBLISHERS:
        with databases[service].autocommit() as tx:
            for row in store.in_outbox(tx, event_id):
                _add_sends(history, service, row)
    for service in SUBSCRIBERS:
        with databases[service].autocommit() as tx:
            received = store.in_inbox(tx, event_id)
            if received is not None:
                _add_receipt(history, service, received)
            subject = history.payload.get("check_id") or history.payload.get("topup_id")
            for move in store.moves_of(tx, subject) if subject else []:
                what = f"{move['kind']} {move['outcome']}: {move['amount_minor']} {move['currency']}"
                history.steps.append(Step(move["created_at"], "ledger", what))
    if history.state == "unknown":
        raise LaunchError(f"No service knows an event {event_id}.")
    for service in SERVICES:
        with databases[service].autocommit() as tx:
            for row in store.actions(tx, subject=str(event_id), limit=1_000):
                what = f"{row['operator']}: {row['action']} ({row['reason']})"
                history.steps.append(Step(row["acted_at"], service, what))
    history.steps.sort(key=lambda step: step.at)
    return history


def _add_sends(history: EventHistory, service: str, row: RowMapping) -> None:
    history.type, history.payload = row["type"], row["payload"]
    history.state = "closed" if row["closed_at"] else "late" if row["is_late"] else "open"
    history.steps.append(Step(row["created_at"], service, f"written for {row['subscriber']}"))
    if row["closed_at"]:
        history.steps.append(
            Step(row["closed_at"], service, f"acknowledged by {row['subscriber']} after {row['sends']} sendings")
        )
    elif row["sends"]:
        due = row["available_at"].astimezone(UTC).strftime("%H:%M:%S")
        history.steps.append(
            Step(datetime.now(UTC), service, f"sent {row['sends']} times, not acknowledged; due again at {due}")
        )


def _add_receipt(history: EventHistory, service: str, row: RowMapping) -> None:
    history.type = row["type"]
    if row["envelope"]:
        history.payload = row["envelope"]["payload"]
    history.steps.append(Step(row["received_at"], service, f"received from {row['source']}"))
    if row["processed_at"]:
        history.state = "done"
        history.steps.append(Step(row["processed_at"], service, f"took effect at attempt {row['attempts']}"))
    elif row["parked_at"]:
        history.state = "discarded" if row["resolution"] == "discarded" else "dead"
    if row["dead_at"]:
        history.steps.append(Step(row["dead_at"], service, f"parked after {row['attempts']} attempts: {row['error']}"))
    elif row["last_error"] and not row["processed_at"]:
        times = f"failed {row['attempts']} times" if row["attempts"] else "delayed by a transient error"
        history.steps.append(Step(datetime.now(UTC), service, f"{times}: {row['last_error']}"))


def replay(databases: Databases, event_id: UUID, *, operator: str, reason: str) -> str:
    """Send an event again by the regular path; return what was done as a sentence. Raise LaunchError if it cannot."""
    for service in SUBSCRIBERS:
        released = _release(databases[service], service, event_id, operator, reason)
        if released is not None:
            source, wire = released
            _reopen(databases, source, service, wire, operator=operator, reason=reason)
            return f"Event {event_id} is released from the dead letters of {service} and due at {source}."
    return _send_again(databases, event_id, operator, reason)


def _release(
    db: Database, service: str, event_id: UUID, operator: str, reason: str
) -> tuple[str, dict[str, Any]] | None:
    with db.transaction() as tx:
        known = store.in_inbox(tx, event_id)
        if known is not None and known["processed_at"] is not None:
            raise LaunchError(f"Event {event_id} has taken effect at {service} already: there is nothing to replay.")
        released = dead_letters.release(tx, event_id, reason=reason)
        if released is not None:
            _record(tx, "replay_event", event_id, operator, reason, error=known["error"] if known else None)
            return released
        # Released before and not sent since: the earlier replay was interrupted.
        if known is not None and known["resolution"] == "replayed":
            return known["source"], known["envelope"]
        if known is not None and known["resolution"] == "discarded":
            raise LaunchError(f"Event {event_id} was discarded ({known['reason']}): that is final.")
    return None


def _reopen(
    databases: Databases, source: str, subscriber: str, wire: Mapping[str, Any], *, operator: str, reason: str
) -> None:
    if source not in databases:
        raise LaunchError(f"The event came from {source}, whose outbox cannot be reached.")
    with databases[source].transaction() as tx:
        store.reopen(tx, subscriber, wire)
        _record(tx, "send_event_again", UUID(wire["event_id"]), operator, reason, subscriber=subscriber)


def _send_again(databases: Databases, event_id: UUID, operator: str, reason: str) -> str:
    for service in PUBLISHERS:
        with databases[service].transaction() as tx:
            subscribers = store.make_due(tx, event_id)
            if subscribers:
                _record(tx, "send_event_again", event_id, operator, reason, subscribers=subscribers)
                return f"Event {event_id} is due at {service} at once, for {', '.join(subscribers)}."
    raise LaunchError(f"No service knows an event {event_id}.")


def discard(databases: Databases, event_id: UUID, *, operator: str, reason: str) -> str:
    """Discard a parked event, which then never takes effect; return what was done as a sentence.

    Raises LaunchError if the event is not parked: an open event is either delivered or parked later.
    """
    for service in SUBSCRIBERS:
        with databases[service].transaction() as tx:
            known = store.in_inbox(tx, event_id)
            if dead_letters.discard(tx, event_id, reason=reason):
                _record(tx, "discard_event", event_id, operator, reason, error=known["error"] if known else None)
                return f"Event {event_id} is discarded: it will never take effect."
    raise LaunchError(f"Event {event_id} is not parked, so it cannot be discarded.")


def _record(tx: Any, action: str, event_id: UUID, operator: str, reason: str, **details: object) -> None:
    operator_actions.record(tx, operator=operator, action=action, subject=str(event_id), reason=reason, details=details)


def list_actions(databases: Databases, *, limit: int) -> list[dict[str, Any]]:
    """Return operator actions at all services, newest first."""
    found = []
    for service in SERVICES:
        with databases[service].autocommit() as tx:
            found += [{"service": service, **row} for row in store.actions(tx, subject=None, limit=limit)]
    return sorted(found, key=lambda row: row["acted_at"], reverse=True)[:limit]
