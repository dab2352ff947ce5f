"""Top-ups on a whole running system, then a search for card numbers: in every table of every database, in every log."""

import re
from pathlib import Path

import psycopg2
import requests
from psycopg2 import sql

from deploy.services import DATABASES
from services.payments.notifications.masking import passes_luhn
from tests.integration.payments.servers import DECLINED_CARD, PAYING_CARD, TIMEOUT
from tests.support.eventually import eventually
from tests.support.system import RunningSystem
from tests.support.users import create_user

FOREIGN_CARD = "5555 5555 5555 4444"
NUMBERS = [card.replace(" ", "") for card in (PAYING_CARD, DECLINED_CARD, FOREIGN_CARD)]
LONG_NUMBER = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w.-])")


def test_nothing_of_a_card_is_stored_or_logged(system: RunningSystem) -> None:
    person = create_user(system.gateway_url, kopecks=1_000)
    for card, end in ((FOREIGN_CARD, "pending"), (DECLINED_CARD, "failed")):
        body = {"amount": 1_000, "returnUrl": f"{system.gateway_url}/top-up"}
        topup = person.post("/topup", body, 201)
        form = {"card_number": card, "expiry": "12/30", "cvc": "123"}
        requests.post(topup["paymentUrl"], data=form, allow_redirects=False, timeout=TIMEOUT)
        path = f"/topup/{topup['transactionID']}"
        eventually(lambda path=path, end=end: person.call("GET", path)["status"] == end)  # type: ignore[misc]
    leak = {"Pan": FOREIGN_CARD, "CardNumber": PAYING_CARD, "CVV": "123", "Comment": f"paid with {PAYING_CARD}"}
    forged = requests.post(f"{system.gateway_url}/bank/webhook/tbank", json=leak, timeout=TIMEOUT)
    assert forged.status_code == 403

    places = {name: dump(system.database_url(name)) for name in DATABASES} | logs(system.data_dir)
    assert "4111 1111" not in places["payments"]
    assert "paid with [masked]" in places["payments"], "the search looks where it should"
    for place, content in places.items():
        plain = content.replace(" ", "").replace("-", "")
        assert not [number for number in NUMBERS if number in plain], f"a card number is in {place}"
        found = {number for number in LONG_NUMBER.findall(content) if passes_luhn(number)}
        assert not found, f"what may be a card number is in {place}: {found}"


def dump(url: str) -> str:
    """Every row of every table, as text; bytes as the text that they may be."""
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name, bool_or(data_type = 'bytea' AND column_name = 'body')"
                " FROM information_schema.columns WHERE table_schema = 'public' GROUP BY 1 ORDER BY 1"
            )
            rows: list[str] = []
            for table, has_body in cursor.fetchall():
                body = sql.SQL(", convert_from(t.body, 'UTF8')" if has_body else "")
                cursor.execute(sql.SQL("SELECT t::text{} FROM {} t").format(body, sql.Identifier(table)))
                rows.extend(" ".join(map(str, row)) for row in cursor.fetchall())
    finally:
        connection.close()
    return "\n".join(rows)


def logs(data_dir: Path) -> dict[str, str]:
    """What all processes have written."""
    found = {path.name: path.read_text(errors="replace") for path in data_dir.rglob("*.log")}
    assert "payments-web.log" in found
    assert "sandbox_bank-web.log" in found
    return found
