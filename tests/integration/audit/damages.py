"""Every way in which the tests damage the books, and what the auditor must say of it.

Statements are run by a superuser with all triggers and foreign keys off. ``{used}`` and the like are ids of the town;
``{hold of used}``, ``{end of used}`` and ``{credit of topup}`` are transfers, ``{account of anna}`` accounts.
"""

# ruff: noqa: E501, ISC004, S608  (one damage, one line; and these statements are meant to do harm)
# fmt: off

from dataclasses import dataclass
from typing import Final

from auditor import accounts, chain, cross_checks, cross_payments, cross_refunds, guards, ledger, trail


@dataclass(frozen=True, slots=True)
class Damage:
    """``subject`` is what a finding under ``rule`` must point at."""

    name: str
    service: str
    statements: tuple[str, ...]
    rule: str
    subject: str


def _of(service: str, rule: str, *damages: tuple[str, str, str]) -> list[Damage]:
    """Damages by one statement each: (name, statement, subject)."""
    return [Damage(name, service, (statement,), rule, subject) for name, statement, subject in damages]


BALANCES, STEPS, ENDINGS, ONCE, ESCROW = ledger.RULES
USER_LEG: Final = "balance_after IS NOT NULL"
SYSTEM_LEG: Final = "balance_after IS NULL"

ENTRIES: Final = [
    *_of(
        "balance",
        ledger.BALANCED,
        ("amount of one entry", f"UPDATE entries SET amount_minor = amount_minor + 1 WHERE {USER_LEG} AND transfer_id = '{{credit of topup}}'", "transfer {credit of topup}"),
        ("amount of the system's entry", f"UPDATE entries SET amount_minor = amount_minor - 1 WHERE {SYSTEM_LEG} AND transfer_id = '{{hold of used}}'", "transfer {hold of used}"),
        ("amount of both entries", "UPDATE entries SET amount_minor = amount_minor * 2 WHERE transfer_id = '{hold of used}'", "transfer {hold of used}"),
        ("amount of an unsealed entry", f"UPDATE entries SET amount_minor = amount_minor + 1 WHERE {USER_LEG} AND transfer_id = '{{hold of late}}'", "transfer {hold of late}"),
        ("sign of one entry", f"UPDATE entries SET amount_minor = -amount_minor WHERE {USER_LEG} AND transfer_id = '{{end of used}}'", "transfer {end of used}"),
        ("currency of one entry", f"UPDATE entries SET currency = 'USD' WHERE {USER_LEG} AND transfer_id = '{{end of used}}'", "transfer {end of used}"),
        ("currency of both entries", "UPDATE entries SET currency = 'USD' WHERE transfer_id = '{end of used}'", "transfer {end of used}"),
        ("balance after an entry gone", f"UPDATE entries SET balance_after = NULL WHERE {USER_LEG} AND transfer_id = '{{end of used}}'", "transfer {end of used}"),
        ("balance after invented", f"UPDATE entries SET balance_after = 7 WHERE {SYSTEM_LEG} AND transfer_id = '{{end of used}}'", "transfer {end of used}"),
        ("user's entry deleted", f"DELETE FROM entries WHERE {USER_LEG} AND transfer_id = '{{end of used}}'", "transfer {end of used}"),
        ("system's entry deleted", f"DELETE FROM entries WHERE {SYSTEM_LEG} AND transfer_id = '{{end of used}}'", "transfer {end of used}"),
        ("both entries deleted", "DELETE FROM entries WHERE transfer_id = '{end of used}'", "transfer {end of used}"),
        ("both entries of an unsealed transfer deleted", "DELETE FROM entries WHERE transfer_id = '{end of late}'", "transfer {end of late}"),
        ("entry moved to another transfer", f"UPDATE entries SET transfer_id = '{{hold of active}}' WHERE {USER_LEG} AND transfer_id = '{{end of used}}'", "transfer {end of used}"),
        ("entries without a transfer", "INSERT INTO entries (transfer_id, account_id, amount_minor, currency, balance_after) VALUES ('{nobody}', '{account of vera}', 5, 'RUB', 5), ('{nobody}', '{bank}', -5, 'RUB', NULL)", "entry {next entry}"),
        ("entries of a refused transfer", "INSERT INTO entries (transfer_id, account_id, amount_minor, currency, balance_after) VALUES ('{hold of rejected}', '{account of vera}', -900000, 'RUB', 0), ('{hold of rejected}', '{escrow}', 900000, 'RUB', NULL)", "transfer {hold of rejected}"),
        ("a second pair of entries", "INSERT INTO entries (transfer_id, account_id, amount_minor, currency, balance_after) SELECT transfer_id, md5(account_id::text)::uuid, amount_minor, currency, balance_after FROM entries WHERE transfer_id = '{hold of late}'", "entry {next entry}"),
        ("one entry too many here, one too few there", f"UPDATE entries SET transfer_id = '{{hold of used}}', account_id = '{{bank}}' WHERE {SYSTEM_LEG} AND transfer_id = '{{end of late}}'", "transfer {end of late}"),
    ),
    *_of(
        "balance",
        ledger.FITTING,
        ("user's entry on another's account", f"UPDATE entries SET account_id = '{{account of vera}}' WHERE {USER_LEG} AND transfer_id = '{{end of used}}'", "transfer {end of used}"),
        ("system's entry on the wrong account", f"UPDATE entries SET account_id = '{{bank}}' WHERE {SYSTEM_LEG} AND transfer_id = '{{hold of used}}'", "transfer {hold of used}"),
        ("entry on no account", f"UPDATE entries SET account_id = '{{nobody}}' WHERE {USER_LEG} AND transfer_id = '{{hold of used}}'", "transfer {hold of used}"),
        ("sign of both entries", "UPDATE entries SET amount_minor = -amount_minor WHERE transfer_id = '{hold of late}'", "transfer {hold of late}"),
    ),
    *_of(
        "balance",
        ledger.SEALED,
        ("time of an entry", f"UPDATE entries SET created_at = created_at - interval '1 microsecond' WHERE {USER_LEG} AND transfer_id = '{{end of used}}'", "transfer {end of used}"),
    ),
    Damage("numbers of two entries exchanged", "balance", (
        "CREATE TEMP TABLE a AS SELECT min(entry_id) AS x, max(entry_id) AS y FROM entries WHERE account_id = '{account of anna}' AND entry_id <= {last sealed entry}",
        "ALTER TABLE entries ALTER entry_id DROP IDENTITY",
        "UPDATE entries SET entry_id = -1 WHERE entry_id = (SELECT x FROM a)",
        "UPDATE entries SET entry_id = (SELECT x FROM a) WHERE entry_id = (SELECT y FROM a)",
        "UPDATE entries SET entry_id = (SELECT y FROM a) WHERE entry_id = -1",
    ), ledger.SEALED, "transfer {credit of topup}"),
    *_of(
        "balance",
        STEPS,
        ("balance after an entry", f"UPDATE entries SET balance_after = balance_after + 1 WHERE {USER_LEG} AND transfer_id = '{{hold of late}}'", "entry {entry of hold of late}"),
        ("balance after a sealed entry", f"UPDATE entries SET balance_after = balance_after + 1 WHERE {USER_LEG} AND transfer_id = '{{hold of used}}'", "entry {entry of hold of used}"),
    ),
]

#: A removal that adds up: the transfer, both its entries, the balance, and every balance after it.
_TAKEN_OUT: Final = (
    "UPDATE accounts a SET balance_minor = balance_minor - e.amount_minor FROM entries e WHERE e.account_id = a.account_id AND e.balance_after IS NOT NULL AND e.transfer_id = '{%s}'",
    "UPDATE entries later SET balance_after = later.balance_after - e.amount_minor FROM entries e WHERE e.transfer_id = '{%s}' AND e.balance_after IS NOT NULL AND later.account_id = e.account_id AND later.entry_id > e.entry_id",
    "DELETE FROM entries WHERE transfer_id = '{%s}'",
    "DELETE FROM transfers WHERE transfer_id = '{%s}'",
)


def _taken_out(transfer: str) -> tuple[str, ...]:
    return tuple(statement % transfer for statement in _TAKEN_OUT)


def _put_in(
    transfer: str, kind: str, subject: str, person: str, amount: int, *, number: str = "", closes: str | None = None
) -> tuple[str, ...]:
    """An insertion that adds up: a transfer with its number, if it must have one, its entries and the balance."""
    counter = "bank" if kind.startswith("topup") else "escrow"
    signed = -amount if kind in ("check_created", "topup_refunded") else amount
    column, value = ("transfer_no, ", f"{number}, ") if number else ("", "")
    closed = f"'{{{closes}}}'" if closes else "NULL"
    return (
        f"INSERT INTO transfers ({column}transfer_id, kind, outcome, subject_id, user_id, closes_id, amount_minor,"
        f" currency, reference) OVERRIDING SYSTEM VALUE SELECT {value}'{{{transfer}}}', '{kind}', 'posted',"
        f" '{{{subject}}}', '{{{person}}}', {closed}, {amount}, 'RUB', '{{{subject}}}'",
        f"UPDATE accounts SET balance_minor = balance_minor + {signed} WHERE account_id = '{{account of {person}}}'",
        f"INSERT INTO entries (transfer_id, account_id, amount_minor, currency, balance_after) SELECT '{{{transfer}}}',"
        f" account_id, {signed}, 'RUB', balance_minor FROM accounts WHERE account_id = '{{account of {person}}}'",
        f"INSERT INTO entries (transfer_id, account_id, amount_minor, currency) VALUES ('{{{transfer}}}', '{{{counter}}}',"
        f" {-signed}, 'RUB')",
    )


TRANSFERS: Final = [
    *_of(
        "balance",
        ledger.SEALED,
        ("reference of a transfer", "UPDATE transfers SET reference = 'x' WHERE transfer_id = '{hold of used}'", "transfer {hold of used}"),
        ("time of a transfer", "UPDATE transfers SET created_at = created_at - interval '1 day' WHERE transfer_id = '{hold of used}'", "transfer {hold of used}"),
        ("time of a refused transfer", "UPDATE transfers SET created_at = created_at - interval '1 second' WHERE transfer_id = '{hold of rejected}'", "transfer {hold of rejected}"),
        ("kind of a transfer", "UPDATE transfers SET kind = 'check_cancelled' WHERE transfer_id = '{end of expired}'", "transfer {end of expired}"),
        ("amount of a refused transfer", "UPDATE transfers SET amount_minor = 1 WHERE transfer_id = '{hold of rejected}'", "transfer {hold of rejected}"),
    ),
    *_of(
        "balance",
        ledger.BALANCED,
        ("amount of a transfer", "UPDATE transfers SET amount_minor = amount_minor + 1 WHERE transfer_id = '{credit of topup}'", "transfer {credit of topup}"),
        ("currency of a transfer", "UPDATE transfers SET currency = 'EUR' WHERE transfer_id = '{credit of topup}'", "transfer {credit of topup}"),
        ("refused transfer turned posted", "UPDATE transfers SET outcome = 'posted' WHERE transfer_id = '{hold of rejected}'", "transfer {hold of rejected}"),
        ("posted transfer turned refused", "UPDATE transfers SET outcome = 'refused' WHERE transfer_id = '{end of late}'", "transfer {end of late}"),
        ("transfer deleted, entries left", "DELETE FROM transfers WHERE transfer_id = '{end of late}'", "entry {entry of end of late}"),
        ("posted transfer without entries", "INSERT INTO transfers (transfer_id, kind, outcome, subject_id, user_id, amount_minor, currency, reference) VALUES ('{credit of nobody}', 'topup', 'posted', '{nobody}', '{vera}', 5, 'RUB', '{nobody}')", "transfer {credit of nobody}"),
    ),
    *_of(
        "balance",
        ledger.FITTING,
        ("user of a transfer", "UPDATE transfers SET user_id = '{vera}' WHERE transfer_id = '{credit of late topup}'", "transfer {credit of late topup}"),
        ("kind that does not fit the accounts", "UPDATE transfers SET kind = 'topup' WHERE transfer_id = '{hold of late}'", "transfer {hold of late}"),
    ),
    *_of(
        "balance",
        ENDINGS,
        ("hold of an ending gone", "UPDATE transfers SET closes_id = '{nobody}' WHERE transfer_id = '{end of late}'", "transfer {end of late}"),
        ("subject of an ending", "UPDATE transfers SET subject_id = '{nobody}' WHERE transfer_id = '{end of late}'", "transfer {end of late}"),
        ("ending closes another's hold", "UPDATE transfers SET closes_id = '{hold of active}' WHERE transfer_id = '{end of late}'", "transfer {end of late}"),
        ("money went back to somebody else", "UPDATE transfers SET user_id = '{boris}' WHERE transfer_id = '{end of expired}'", "transfer {end of expired}"),
    ),
    Damage("ending without a hold", "balance", ("ALTER TABLE transfers DROP CONSTRAINT endings_close_a_hold", "UPDATE transfers SET closes_id = NULL WHERE transfer_id = '{end of late}'"), ENDINGS, "transfer {end of late}"),
    Damage("transfer moved to another id, with its entries", "balance", ("UPDATE entries SET transfer_id = '{nobody}' WHERE transfer_id = '{credit of late topup}'", "UPDATE transfers SET transfer_id = '{nobody}' WHERE transfer_id = '{credit of late topup}'"), cross_payments.RULE, "top-up {late topup}"),
    Damage("check's transfers moved to other ids", "balance", ("UPDATE entries SET transfer_id = '{nobody}' WHERE transfer_id = '{hold of active}'", "UPDATE transfers SET transfer_id = '{nobody}' WHERE transfer_id = '{hold of active}'"), cross_checks.RULE, "check {active}"),
    Damage("subject of a credit", "balance", ("UPDATE transfers SET subject_id = '{nobody}' WHERE transfer_id = '{credit of late topup}'",), cross_payments.RULE, "top-up {late topup}"),
    Damage("numbers of two transfers exchanged", "balance", (
        "CREATE TEMP TABLE a AS SELECT (SELECT transfer_no FROM transfers WHERE transfer_id = '{hold of used}') AS x, (SELECT transfer_no FROM transfers WHERE transfer_id = '{hold of active}') AS y",
        "ALTER TABLE transfers ALTER transfer_no DROP IDENTITY",
        "UPDATE transfers SET transfer_no = -1 WHERE transfer_id = '{hold of used}'",
        "UPDATE transfers SET transfer_no = (SELECT x FROM a) WHERE transfer_id = '{hold of active}'",
        "UPDATE transfers SET transfer_no = (SELECT y FROM a) WHERE transfer_id = '{hold of used}'",
    ), ledger.SEALED, "transfer {hold of used}"),
    Damage("sealed transfer taken out, everything adjusted", "balance", _taken_out("accepted of used too"), chain.WHOLE, "transfer {accepted of used too}"),
    Damage("unsealed credit taken out, everything adjusted", "balance", _taken_out("credit of late topup"), cross_payments.RULE, "top-up {late topup}"),
    Damage("unsealed ending taken out, everything adjusted", "balance", _taken_out("end of late"), cross_checks.RULE, "check {late}"),
    Damage("refused transfer taken out", "balance", ("DELETE FROM transfers WHERE transfer_id = '{hold of rejected}'",), chain.WHOLE, "transfer {hold of rejected}"),
    Damage("refusal of a rejected check taken out", "balance", ("DELETE FROM transfers WHERE transfer_id = '{hold of rejected}'",), cross_checks.RULE, "check {rejected}"),
    Damage("transfer put into the past, everything adjusted", "balance", _put_in("credit of nobody", "topup", "nobody", "vera", 900, number="-7"), ledger.SEALED, "transfer {credit of nobody}"),
    Damage("credit out of nowhere, everything adjusted", "balance", _put_in("credit of nobody", "topup", "nobody", "vera", 900), cross_payments.RULE, "top-up {nobody}"),
    Damage("orphan hold, everything adjusted", "balance", _put_in("hold of nobody", "check_created", "nobody", "anna", 900), cross_checks.RULE, "check {nobody}"),
    Damage("active check paid out to a thief", "balance", _put_in("accepted of active", "check_accepted", "active", "vera", 5_000, closes="hold of active"), cross_checks.RULE, "check {active}"),
    Damage("two credits for one top-up", "balance", _put_in("nobody", "topup", "late topup", "vera", 900), cross_payments.RULE, "top-up {late topup}"),
    Damage("two holds for one check", "balance", _put_in("nobody", "check_created", "active", "anna", 100), cross_checks.RULE, "check {active}"),
    Damage("hold ended twice", "balance", ("ALTER TABLE transfers DROP CONSTRAINT transfers_closes_id_key", *_put_in("nobody", "check_accepted", "late", "vera", 6_000, closes="hold of late")), ONCE, "transfer {hold of late}"),
    Damage("refund out of nowhere, everything adjusted", "balance", _put_in("refund of nobody", "topup_refunded", "nobody", "vera", 900), cross_refunds.RULE, "refund {nobody}"),
    Damage("debit of a refund taken out, everything adjusted", "balance", _taken_out("debit of refund"), cross_refunds.RULE, "refund {refund}"),
    Damage("return of a refused refund taken out, everything adjusted", "balance", _taken_out("credit of returned refund"), cross_refunds.RULE, "refund {returned refund}"),
    Damage("escrow and open holds differ", "balance", ("UPDATE entries SET amount_minor = amount_minor + 3 WHERE balance_after IS NULL AND transfer_id = '{hold of late}'",), ESCROW, "escrow RUB"),
]

ACCOUNTS: Final = [
    *_of(
        "balance",
        BALANCES,
        ("balance too high", "UPDATE accounts SET balance_minor = balance_minor + 1 WHERE account_id = '{account of anna}'", "account {account of anna}"),
        ("balance too low", "UPDATE accounts SET balance_minor = balance_minor - 1 WHERE account_id = '{account of anna}'", "account {account of anna}"),
        ("balance of nothing", "UPDATE accounts SET balance_minor = 0 WHERE account_id = '{account of boris}'", "account {account of boris}"),
        ("account with money and no entries", "INSERT INTO accounts (account_id, kind, user_id, currency, balance_minor) VALUES ('{account of nobody}', 'user', '{nobody}', 'RUB', 5)", "account {account of nobody}"),
    ),
    Damage("balances of two users exchanged", "balance", ("UPDATE accounts a SET balance_minor = b.balance_minor FROM accounts b WHERE (a.account_id, b.account_id) IN (('{account of anna}', '{account of vera}'), ('{account of vera}', '{account of anna}'))",), BALANCES, "account {account of vera}"),
    Damage("account below zero", "balance", ("ALTER TABLE accounts DROP CONSTRAINT balance_is_never_negative", "UPDATE accounts SET balance_minor = -5 WHERE account_id = '{account of anna}'"), BALANCES, "account {account of anna}"),
    *_of(
        "balance",
        ledger.FITTING,
        ("account deleted", "DELETE FROM accounts WHERE account_id = '{account of boris}'", "transfer {end of used}"),
        ("account given to somebody else", "UPDATE accounts SET user_id = '{nobody}' WHERE account_id = '{account of boris}'", "transfer {end of used}"),
        ("account in another currency", "UPDATE accounts SET currency = 'USD' WHERE account_id = '{account of boris}'", "transfer {end of used}"),
        ("escrow deleted", "DELETE FROM accounts WHERE account_id = '{escrow}'", "transfer {hold of used}"),
        ("account under another id", "UPDATE accounts SET account_id = '{nobody}' WHERE account_id = '{account of boris}'", "transfer {end of used}"),
    ),
    *_of(
        "balance",
        accounts.RULE,
        ("second account of one user", "INSERT INTO accounts (account_id, kind, user_id, currency, balance_minor) VALUES ('{nobody}', 'user', '{anna}', 'USD', 0)", "account {nobody}"),
    ),
]

CHAIN: Final = [
    *_of(
        "balance",
        chain.WHOLE,
        ("hash of a link", "UPDATE chain_links SET hash = sha256('x') WHERE transfer_id = '{hold of used}'", "block {block of used}"),
        ("link deleted", "DELETE FROM chain_links WHERE transfer_id = '{hold of used}'", "block {block of used}"),
        ("link moved to another block", "UPDATE chain_links SET block_no = 1 WHERE transfer_id = '{hold of used}'", "block 1"),
        ("link of an unsealed transfer put in", "INSERT INTO chain_links SELECT transfer_no, transfer_id, 2, sha256('x') FROM transfers WHERE transfer_id = '{hold of late}'", "block 2"),
        ("links of a block that is not there", "UPDATE chain_links SET block_no = 99 WHERE block_no = 2", "block 99"),
        ("hash of a block", "UPDATE chain_blocks SET hash = sha256('x') WHERE block_no = 2", "block 2"),
        ("hash of the last block", "UPDATE chain_blocks SET hash = sha256('x') WHERE block_no = {last block}", "block {last block}"),
        ("hash before a block", "UPDATE chain_blocks SET previous_hash = sha256('x') WHERE block_no = 2", "block 2"),
        ("time of a block", "UPDATE chain_blocks SET sealed_at = sealed_at - interval '1 second' WHERE block_no = 2", "block 2"),
        ("completeness of a block", "UPDATE chain_blocks SET complete_at = now() WHERE block_no = 2", "block 2"),
        ("end of a block", "UPDATE chain_blocks SET last_no = last_no - 1 WHERE block_no = 2", "block 2"),
        ("size of a block", "UPDATE chain_blocks SET transfers = transfers + 1 WHERE block_no = 2", "block 2"),
        ("first block deleted", "DELETE FROM chain_blocks WHERE block_no = 1", "block 2"),
        ("block in the middle deleted", "DELETE FROM chain_blocks WHERE block_no = 2", "block 3"),
        ("last block deleted, links left", "DELETE FROM chain_blocks WHERE block_no = {last block}", "block {last block}"),
    ),
    Damage("block in the middle deleted with its links and transfers", "balance", ("DELETE FROM entries WHERE transfer_id IN (SELECT transfer_id FROM chain_links WHERE block_no = 2)", "DELETE FROM transfers WHERE transfer_id IN (SELECT transfer_id FROM chain_links WHERE block_no = 2)", "DELETE FROM chain_links WHERE block_no = 2", "DELETE FROM chain_blocks WHERE block_no = 2"), chain.WHOLE, "block 3"),
    Damage("nothing is sealed any more", "balance", ("UPDATE transfers SET created_at = now() - interval '1 hour' WHERE transfer_id = '{hold of late}'",), chain.ALIVE, "chain"),
]

GUARDS: Final = [
    *_of(
        "balance",
        guards.RULE,
        ("trigger switched off", "ALTER TABLE entries DISABLE TRIGGER append_only", "balance trigger append_only on entries"),
        ("trigger switched to replicas", "ALTER TABLE transfers ENABLE REPLICA TRIGGER check_transfers", "balance trigger check_transfers on transfers"),
        ("trigger dropped", "DROP TRIGGER check_entries ON entries", "balance trigger check_entries on entries"),
        ("refusing function softened", "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'", "balance trigger append_only on transfers"),
        ("constraint dropped", "ALTER TABLE accounts DROP CONSTRAINT balance_is_never_negative", "balance constraint balance_is_never_negative on accounts"),
        ("uniqueness of endings dropped", "ALTER TABLE transfers DROP CONSTRAINT transfers_closes_id_key", "balance constraint transfers_closes_id_key on transfers"),
        ("chain can be changed", "DROP TRIGGER append_only ON chain_links", "balance trigger append_only on chain_links"),
    ),
    Damage("constraint softened", "balance", ("ALTER TABLE entries DROP CONSTRAINT entries_balance_after_check", "ALTER TABLE entries ADD CONSTRAINT entries_balance_after_check CHECK (balance_after >= -1000)"), guards.RULE, "balance constraint entries_balance_after_check on entries"),
    Damage("checks may end twice", "checks", ("ALTER TABLE checks DISABLE TRIGGER endings_stay",), guards.RULE, "checks trigger endings_stay on checks"),
    Damage("operators' trail of payments open", "payments", ("DROP TRIGGER append_only ON operator_actions",), guards.RULE, "payments trigger append_only on operator_actions"),
    *_of(
        "balance",
        trail.RULE,
        ("reason of an action", "UPDATE operator_actions SET reason = 'another' WHERE action_no = 1", "balance action 1"),
        ("operator of an action", "UPDATE operator_actions SET operator = 'nobody' WHERE action_no = 2", "balance action 2"),
        ("details of an action", "UPDATE operator_actions SET details = '{{}}' WHERE action_no = 2", "balance action 2"),
        ("action deleted", "DELETE FROM operator_actions WHERE action_no = 1", "balance action 2"),
    ),
    Damage("time of a refund's action", "payments", ("UPDATE operator_actions SET acted_at = acted_at + interval '1 hour' WHERE action_no = 1",), trail.RULE, "payments action 1"),
]
