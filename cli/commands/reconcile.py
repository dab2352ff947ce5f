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
WORDS: Final = {
    "missing_there": "we have it, the bank does not",
    "missing_here": "the bank has it, we do not",
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
@click.option(
    "--reason", default="reconciliation", show_default=True, help="Why. Written down when something is applied."
)
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
    """Compare our payments with a bank's: its list, a statement file, or the bank asked about each.

    Nothing is changed without --apply, which polls the bank for each payment that
    differs. A file alone never moves money. Exit code 1 when there are differences, 2 when it could not be done.
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
    """Day by day, so that no single call asks the bank for hours; a statement is compared as a whole."""
    step = until - since if whole else timedelta(days=1)
    while since < until:
        end = min(since + step, until)
        yield since, end
        since = end


def _text(report: dict[str, Any]) -> str:
    lines = [f"{report['compared']} payments at {report['bank']} compared with {report['source'] or 'nothing'}."]
    for item in report["differences"]:
        names = [f"{name} {item[key]}" for name, key in _NAMES if item.get(key)]
        lines.append(f"{item['kind']}: {WORDS[item['kind']]}: {', '.join(names)}")
        lines.extend(f"    {side}: {_side(item[side])}" for side in ("ours", "theirs") if item.get(side))
        if item.get("applied"):
            lines.append(f"    applied: {item['applied']}")
    lines.append(f"{len(report['differences'])} differences." if report["differences"] else "No differences.")
    return "\n".join(lines)


_NAMES: Final = (("top-up", "transactionID"), ("payment", "paymentID"), ("order", "orderID"))


def _side(side: dict[str, Any]) -> str:
    amount = side.get("amount")
    return f"{side['status']}" + (f", {amount} {side.get('currency', '')} in minor units" if amount is not None else "")
