"""``fastcheck events``"""

import getpass
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from cli.commands.options import data_dir_option
from cli.operators import databases
from cli.operators import events as operations
from common.core.clock import format_utc
from common.core.money import MINOR_DIGITS, Money

limit_option = click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")


def _who() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _a_reason(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("give a reason for the audit trail")
    return value.strip()


reason_option = click.option(
    "--reason", required=True, callback=_a_reason, help="The reason, recorded in the audit trail."
)
operator_option = click.option("--operator", default=_who, show_default="user@host", help="Who you are.")
event_argument = click.argument("event_id", type=click.UUID)


@contextmanager
def _opened(data_dir: Path) -> Iterator[dict[str, Any]]:
    with databases.opened(databases.urls(data_dir)) as opened:
        yield opened


@click.group()
def events() -> None:
    """Inspect undelivered events between the services; replay or discard them.

    An event is OPEN until its subscriber has acknowledged it, LATE after a minute, and DEAD when it has used up its
    attempts and is parked. Every action is recorded in an append-only log.
    """


@events.command(name="list")
@data_dir_option
@click.option(
    "--state",
    "states",
    type=click.Choice(operations.STATES),
    multiple=True,
    help="Only events in this state; repeatable.",
)
@limit_option
@json_option
def list_(*, data_dir: Path, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List undelivered events, and operations without a final status."""
    with _opened(data_dir) as opened:
        lines = operations.list_events(opened, states=states or operations.STATES, limit=limit)
        undecided = operations.list_undecided(opened, limit=limit)
    if as_json:
        content = {"events": [line.as_json() for line in lines], "undecided": [item.as_json() for item in undecided]}
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    for line in lines:
        about = ", ".join(part for part in (line.subject, _amount(line.amount_minor, line.currency)) if part)
        click.echo(f"{line.state:5} {line.event_id}  {line.type}  {about}")
        tries = f"{line.tries} attempts" if line.state == "dead" else f"sent {line.tries} times"
        click.echo(f"      at {line.service} since {format_utc(line.since)}, {tries}" + _because(line.note))
    if undecided:
        click.echo("Without a final status, or for an operator to decide:")
    for item in undecided:
        amount = _amount(item.amount_minor, item.currency)
        click.echo(f"      {item.kind} {item.subject}  {amount}  since {format_utc(item.since)}{_because(item.why)}")
    if not lines and not undecided:
        click.echo("All events are delivered, and every operation has a final status.")


@events.command()
@event_argument
@data_dir_option
@json_option
def show(*, event_id: UUID, data_dir: Path, as_json: bool) -> None:
    """Show one event with its history."""
    with _opened(data_dir) as opened:
        history = operations.show(opened, event_id)
    if as_json:
        click.echo(json.dumps(history.as_json(), indent=2, ensure_ascii=False))
        return
    click.echo(f"{history.event_id}  {history.type}  {history.state}")
    for name, value in history.payload.items():
        click.echo(f"    {name}: {value}")
    for step in history.steps:
        click.echo(f"{format_utc(step.at)}  {step.where}: {step.what}")


@events.command()
@event_argument
@reason_option
@operator_option
@data_dir_option
def replay(*, event_id: UUID, reason: str, operator: str, data_dir: Path) -> None:
    """Send an event again through outbox, relay and inbox. An event that was processed has no further effect."""
    with _opened(data_dir) as opened:
        click.echo(operations.replay(opened, event_id, operator=operator, reason=reason))


@events.command()
@event_argument
@reason_option
@operator_option
@data_dir_option
def discard(*, event_id: UUID, reason: str, operator: str, data_dir: Path) -> None:
    """Discard a parked event, which then never takes effect. The audit keeps reporting the missing transfer."""
    with _opened(data_dir) as opened:
        click.echo(operations.discard(opened, event_id, operator=operator, reason=reason))


@events.command()
@data_dir_option
@limit_option
@json_option
def actions(*, data_dir: Path, limit: int, as_json: bool) -> None:
    """List operator actions, newest first."""
    with _opened(data_dir) as opened:
        found = operations.list_actions(opened, limit=limit)
    if as_json:
        click.echo(json.dumps([{**row, "acted_at": row["acted_at"].isoformat()} for row in found], indent=2))
        return
    for row in found:
        click.echo(
            f"{format_utc(row['acted_at'])}  {row['service']} no. {row['action_no']}  {row['operator']}:"
            f" {row['action']} {row['subject']} ({row['reason']})"
        )


def _because(note: str) -> str:
    return f": {note}" if note else ""


def _amount(amount_minor: int | None, currency: str | None) -> str:
    if amount_minor is None or currency not in MINOR_DIGITS:
        return ""
    return str(Money(amount_minor, currency))
