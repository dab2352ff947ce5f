"""``fastcheck payments``"""

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import click

from cli.commands.options import data_dir_option, json_option, operator_option
from cli.operators.payments import Payments
from common.core.money import MINOR_DIGITS, Money

topup_argument = click.argument("topup_id", type=click.UUID)


@click.group()
def payments() -> None:
    """Inspect top-ups and rejected notifications, poll banks, refund top-ups."""


@payments.command()
@data_dir_option
@click.option("--bank", help="List only notifications of this bank.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@json_option
def refused(*, data_dir: Path, bank: str | None, limit: int, as_json: bool) -> None:
    """List rejected notifications, newest first.

    These are forged notifications, wrong amounts, unknown orders and second payments, as received, with card numbers
    masked.
    """
    found = Payments.of(data_dir).get("/internal/notifications/refused", bank=bank, limit=limit)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for item in found["notifications"]:
        about = [item.get("paymentID"), item.get("orderID"), item.get("bankStatus"), _amount(item)]
        click.echo(
            f"{item['lastReceivedAt']}  {item['bank']:8}  {item['verdict']:18}  {' '.join(filter(None, about))}"
            f"  from {item.get('address', item['source'])}, {item['times']} times"
        )
        if item["body"]:
            click.echo(f"    {item['body'][:300]}")
    if not found["notifications"]:
        click.echo("No notification was rejected.")


@payments.command()
@topup_argument
@data_dir_option
@json_option
def show(*, topup_id: UUID, data_dir: Path, as_json: bool) -> None:
    """Show a top-up with its attempts at the bank, the bank's notifications, and its refunds."""
    topup = Payments.of(data_dir).get(f"/internal/topups/{topup_id}")
    if as_json:
        click.echo(json.dumps(topup, indent=2, ensure_ascii=False))
        return
    click.echo(f"{topup['transactionID']}  {topup['status']}  {_amount(topup)}  at {topup['bank']}")
    click.echo(
        f"    of user {topup['userID']}, made {topup['createdAt']}, confirmed {topup.get('confirmedAt', 'never')}"
    )
    for attempt in topup["attempts"]:
        click.echo(f"    attempt {attempt['orderID']}  payment {attempt.get('paymentID', '-')}  {attempt['state']}")
    for item in topup["notifications"]:
        click.echo(
            f"    {item['firstReceivedAt']}  {item['source']}: {item.get('bankStatus')}, {item['verdict']},"
            f" {item['times']} times"
        )
    for item in topup["refunds"]:
        click.echo(f"    {item['createdAt']}  refund {item['refundID']}: {item['status']}{_because(item.get('note'))}")


@payments.command()
@topup_argument
@data_dir_option
def ask(*, topup_id: UUID, data_dir: Path) -> None:
    """Poll the bank for the status of a top-up now, and apply it like any status report."""
    click.echo(Payments.of(data_dir).post(f"/internal/topups/{topup_id}/polls")["answer"])


@payments.command()
@topup_argument
@click.option(
    "--amount",
    type=click.IntRange(1),
    help="In minor units, such as kopecks. Default: all that is not refunded yet.",
)
@click.option("--refund-id", type=click.UUID, help="The id of an earlier call, to repeat it.")
@click.option("--reason", required=True, help="The reason, recorded in the audit trail.")
@operator_option
@data_dir_option
@json_option
def refund(
    *,
    topup_id: UUID,
    amount: int | None,
    refund_id: UUID | None,
    reason: str,
    operator: str,
    data_dir: Path,
    as_json: bool,
) -> None:
    """Debit the user's balance and refund the amount to the card.

    Rejected if the balance is too low. If the bank does not respond, the service retries; in the end either the card or
    the user has the money.
    """
    body: dict[str, object] = {"refundID": str(refund_id or uuid4()), "reason": reason, "operator": operator}
    if amount is not None:
        body["amount"] = amount
    done = Payments.of(data_dir).post(f"/internal/topups/{topup_id}/refunds", body)
    if as_json:
        click.echo(json.dumps(done, indent=2, ensure_ascii=False))
        return
    sentences = {
        "done": "The card has the money.",
        "refused": "The balance is too low: nothing was refunded.",
        "returned": "The bank rejected the refund: the user has the money again.",
    }
    status = done["status"]
    click.echo(f"{done['refundID']}  {status}{_because(done.get('note'))}")
    click.echo(
        sentences.get(status, "In progress: the service retries. Repeat the call with this --refund-id for the status.")
    )


def _amount(item: dict[str, Any]) -> str:
    amount, currency = item.get("amount"), item.get("currency")
    return str(Money(amount, currency)) if isinstance(amount, int) and currency in MINOR_DIGITS else ""


def _because(note: str | None) -> str:
    return f": {note}" if note else ""
