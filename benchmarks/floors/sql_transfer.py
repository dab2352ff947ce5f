"""The floor of the ledger: the smallest double-entry transfer in SQL, under pgbench, without HTTP or Python."""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from benchmarks.system import System
from launcher.embedded.binaries import postgres_bin

ACCOUNTS: Final = 1000
_TABLES: Final = f"""
    CREATE TABLE IF NOT EXISTS floor_balances (account_id int PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0))
        WITH (fillfactor = 70);
    INSERT INTO floor_balances SELECT n, 1000000000 FROM generate_series(1, {ACCOUNTS}) n ON CONFLICT DO NOTHING;
    CREATE TABLE IF NOT EXISTS floor_transfers (transfer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS floor_entries (entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        transfer_id bigint NOT NULL, account_id int NOT NULL, amount bigint NOT NULL, balance_after bigint);
"""  # noqa: S608  a constant
#: One statement with the parameter ``:account``.
TRANSFER: Final = """
WITH debited AS (UPDATE floor_balances SET balance = balance - 1 WHERE account_id = :account RETURNING balance),
     made AS (INSERT INTO floor_transfers DEFAULT VALUES RETURNING transfer_id)
INSERT INTO floor_entries (transfer_id, account_id, amount, balance_after)
SELECT transfer_id, :account, -1, balance FROM made, debited UNION ALL SELECT transfer_id, 0, 1, NULL FROM made;
"""
_SCRIPT: Final = f"\\set account random(1, {ACCOUNTS})\n{TRANSFER.strip()}\n"


def prepare(system: System) -> None:
    """Create the tables in the database ``postgres`` of the system's server."""
    system.rows("postgres", _TABLES)


def measure(system: System, connections: int, seconds: float) -> float:
    """Transfers per second, each one statement and one commit that waits for the disk."""
    prepare(system)
    url = urlunsplit(urlsplit(system.postgres_url)._replace(path="/postgres"))
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "transfer.sql"
        script.write_text(_SCRIPT)
        command = [str(postgres_bin(None) / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--client={connections}"]
        command += [f"--jobs={min(2, connections)}", f"--time={max(1, round(seconds))}", f"--file={script}", url]
        result = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False)
    found = re.search(r"^tps = ([0-9.]+)", result.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"pgbench did not measure: {result.stderr.strip()[-300:]}")
    return float(found[1])
