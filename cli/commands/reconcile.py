"""``fastcheck reconcile``"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from cli.commands.options import data_dir_option, json_option, operator_option
from cli.operators.payments import Payments

DIFFERENT: Final = 1
MEANINGS: Final = {
    "missing_there": "FastCheck has it, the bank does not",
    "missing_here": "the bank has it, FastCheck does not",
    "different_amount": "the amounts differ",
    "different_status": "the statuses differ",
}


instant = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"])


@click.command()
@click.option("--bank", required=True, help="For example tbank.")
@click.option("--from", "since", type=instant, required=True, help="Start of the period: a day or a time, UTC.")
@click.option("--to", "until", type=instant, required=True, help="End of the period (exclusive): a day or a time, UTC.")
@click.option("--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A statement (CSV).")
@click.option("--apply", "apply", is_flag=True, help="Poll the bank for each difference and apply its status.")
@click.option("--reason", default="reconciliation", show_default=True, help="The reason, recorded with --apply.")
@operator_option
@json_option
@data_dir_option
def reconcile(
    *,
    bank: str,
    since: datetime,
    until: datetime,
    file: Path | None,
    apply: bool,
    reason: str,
    operator: str,
    as_json: bool,
    data_dir: Path,
) -> None:
    """Compare payments with a bank's list, a statement file, or the bank's status of each payment.

    Changes nothing without --apply, which polls the bank for each difference and applies its status report; a statement
    file alone never changes a payment. Exit codes: 1 if there are differences, 2 if the comparison failed.
    """
    payments = Payments.of(data_dir)
    body: dict[str, object] = {"bank": bank, "apply": apply, "reason": reason, "operator": operator}
    if file is not None:
        body["statement"] = file.read_text(encoding="utf-8-sig")
    report: dict[str, Any] = {"bank": bank, "source": "", "compared": 0, "differences": []}
    for start, end in _spans(since.replace(tzinfo=UTC), until.replace(tzinfo=UTC), whole=file is not None):
        span = {"since": start.isoformat(), "until": end.isoformat()}
        part = payments.post("/internal/reconciliations", {**body, **span})
        report["source"] = part["source"]
        report["compared"] += part["compared"]
        report["differences"] += part["differences"]
    click.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else _text(report))
    sys.exit(DIFFERENT if report["differences"] else 0)


def _spans(since: datetime, until: datetime, *, whole: bool) -> Iterator[tuple[datetime, datetime]]:
    """Split the period into days, which bounds the duration of a call; a statement is compared as a whole."""
    step = until - since if whole else timedelta(days=1)
    while since < until:
        end = min(since + step, until)
        yield since, end
        since = end


def _text(report: dict[str, Any]) -> str:
    lines = [f"{report['compared']} payments at {report['bank']} compared with {report['source'] or 'nothing'}."]
    for item in report["differences"]:
        names = [f"{name} {item[key]}" for name, key in _NAMES if item.get(key)]
        lines.append(f"{item['kind']}: {MEANINGS[item['kind']]}: {', '.join(names)}")
        lines.extend(f"    {side}: {_side(item[side])}" for side in ("ours", "theirs") if item.get(side))
        if item.get("applied"):
            lines.append(f"    applied: {item['applied']}")
    lines.append(f"{len(report['differences'])} differences." if report["differences"] else "No differences.")
    return "\n".join(lines)


_NAMES: Final = (("top-up", "transactionID"), ("payment", "paymentID"), ("order", "orderID"))


def _side(side: dict[str, Any]) -> str:
    amount = side.get("amount")
    return f"{side['status']}" + (f", {amount} {side.get('currency', '')} in minor units" if amount is not None else "")
