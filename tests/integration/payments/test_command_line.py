"""``fastcheck payments`` and ``fastcheck reconcile``, as an operator runs them."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.payments.models import order_id_of
from tests.integration.payments.conftest import MakeSystem
from tests.integration.payments.servers import System
from tests.integration.payments.test_refunds import balance, credited
from tests.support.eventually import eventually
from tests.support.system import fastcheck

YESTERDAY, TOMORROW = ((datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d") for days in (-1, 2))


def run(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {
        "FASTCHECK_PAYMENTS_URL": system.url,
        "FASTCHECK_OPERATOR_TOKEN_KEY": system.keys.private("operator"),
    }
    return fastcheck(*arguments, environ=environ)


def reconcile(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(system, "reconcile", "--bank", "tbank", "--from", YESTERDAY, "--to", TOMORROW, *arguments)


def test_refused_lists_rejected_notifications(system: System) -> None:
    assert "No notification was rejected" in run(system, "payments", "refused").stdout
    topup = system.user().start()
    system.notify({**system.confirmation(topup), "Amount": 1})
    system.notify(system.confirmation(topup), password="guessed")
    shown = run(system, "payments", "refused").stdout
    assert "wrong_amount" in shown
    assert "bad_signature" in shown
    assert "411111" not in shown
    found: dict[str, Any] = json.loads(run(system, "payments", "refused", "--json", "--bank", "tbank").stdout)
    assert [item["verdict"] for item in found["notifications"]] == ["bad_signature", "wrong_amount"]


def test_ask_polls_the_bank_and_show_prints_the_top_up(system: System) -> None:
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    user.pay(topup)
    assert run(system, "payments", "ask", topup["transactionID"]).stdout == "applied\n"
    shown = run(system, "payments", "show", topup["transactionID"]).stdout
    assert "confirmed  500.00 RUB  at tbank" in shown
    assert "operator: CONFIRMED, applied" in shown


def test_refund_returns_money_to_the_card(make_system: MakeSystem) -> None:
    system = make_system(with_balance=True)
    user, topup = credited(system)
    done = run(system, "payments", "refund", topup["transactionID"], "--amount", "20000", "--reason", "the user asked")
    assert "The card has the money." in done.stdout
    assert balance(system, user) == 30_000
    too_much = run(
        system, "payments", "refund", topup["transactionID"], "--amount", "30001", "--reason", "the user asked"
    )
    assert (too_much.returncode, "at most 30000 of this top-up can be refunded" in too_much.stderr) == (2, True)
    assert "--reason" in run(system, "payments", "refund", topup["transactionID"]).stderr


def test_reconcile_compares_by_api_and_by_statement_file(system: System, tmp_path: Path) -> None:
    system.plan(["notify_lost"])
    user = system.user()
    topup = user.start()
    user.pay(topup)
    found = reconcile(system)
    assert found.returncode == 1
    assert "different_status" in found.stdout
    assert user.status(topup) == "pending", "nothing is changed without --apply"

    file = tmp_path / "statement.csv"
    order = order_id_of(UUID(topup["transactionID"]), 1)
    file.write_text(f"order_id;amount;status\n{order};500,00;CONFIRMED\nforeign;1,00;CONFIRMED\n")
    report = json.loads(reconcile(system, "--file", str(file), "--json").stdout)
    assert [item["kind"] for item in report["differences"]] == ["different_status", "missing_here"]

    applied = reconcile(system, "--apply", "--reason", "a notification was lost")
    assert "applied: applied" in applied.stdout
    eventually(lambda: user.status(topup) == "confirmed")
    repeat = reconcile(system)
    assert (repeat.returncode, "No differences." in repeat.stdout) == (0, True)


@pytest.mark.parametrize(
    "command", [["payments", "refused"], ["reconcile", "--bank", "x", "--from", "2026-01-01", "--to", "2026-01-02"]]
)
def test_command_without_a_running_system_ends_with_an_error_message(command: list[str], tmp_path: Path) -> None:
    result = fastcheck(*command, "--data-dir", str(tmp_path / "none"))
    assert (result.returncode, "No FastCheck runs in" in result.stderr) == (2, True)
