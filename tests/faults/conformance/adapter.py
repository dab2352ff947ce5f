"""The four endpoints of the kit's HTTP adapter contract, over the real ledger: its tables, its SQL, its use cases.

How the kit's transactions are made here. Money comes from ``external:…`` by a top-up. From one account to another it
goes as it does for our users: a check is held and then accepted, two transfers of the ledger over the escrow, whose
two legs cancel each other and are left out of the journal. What is no such move (legs that differ in amount or
currency) is offered to the ledger all the same, in one transaction, so that it is the ledger that refuses it.

The kit's hashes have a formula of their own. They are given only for transfers that are what our own chain sealed; a
row that was changed, or one that is gone, breaks the kit's chain too.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from flask import Flask, Response, jsonify, request
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from auditor.digest import TRANSFER_DIGEST
from common.core.errors import BusinessError
from common.core.ids import derived_id
from common.core.settings import DatabaseSettings, FromEnvironment
from common.db.engine import Database
from common.db.errors import retry_on_conflict
from services.balance import chain, repository, service
from services.balance.errors import InsufficientFunds, TransferConflict
from services.balance.models import Posting, TransferKind, user_account_id
from tests.support.databases import with_session_settings

EXTERNAL: Final = "external:"
GENESIS: Final = "GENESIS"
#: The adapter empties the ledger on request, so that it starts on scratch databases only.
SCRATCH: Final = re.compile(r"^(test_balance_|lck_scratch)")

_RESET: Final = """
    ALTER TABLE transfers DISABLE TRIGGER USER; ALTER TABLE entries DISABLE TRIGGER USER;
    ALTER TABLE accounts DISABLE TRIGGER USER;
    ALTER TABLE chain_blocks DISABLE TRIGGER USER; ALTER TABLE chain_links DISABLE TRIGGER USER;
    TRUNCATE transfers, entries, chain_blocks, chain_links RESTART IDENTITY;
    DELETE FROM accounts WHERE kind = 'user';
    ALTER TABLE transfers ENABLE TRIGGER USER; ALTER TABLE entries ENABLE TRIGGER USER;
    ALTER TABLE accounts ENABLE TRIGGER USER;
    ALTER TABLE chain_blocks ENABLE TRIGGER USER; ALTER TABLE chain_links ENABLE TRIGGER USER;
"""

# Both legs of a move are shown when its second half is there.
_JOURNAL: Final = text(f"""
    SELECT e.entry_id, e.amount_minor, e.currency, a.kind AS account_kind, t.reference,
           l.hash IS NOT DISTINCT FROM {TRANSFER_DIGEST} AS as_sealed
      FROM transfers t
      JOIN entries u ON u.transfer_id = t.transfer_id AND u.balance_after IS NOT NULL
      JOIN entries s ON s.transfer_id = t.transfer_id AND s.balance_after IS NULL
      JOIN entries e ON e.transfer_id = t.transfer_id
      JOIN accounts a ON a.account_id = e.account_id
      LEFT JOIN chain_links l ON l.transfer_id = t.transfer_id
     WHERE a.kind <> 'escrow'
       AND (t.kind <> 'check_created' OR EXISTS (SELECT 1 FROM transfers x WHERE x.closes_id = t.transfer_id))
     ORDER BY e.entry_id
""")  # noqa: S608
_MISSING: Final = text(
    "SELECT count(*) FROM chain_links LEFT JOIN transfers t USING (transfer_id) WHERE t.kind IS NULL"
)


class AdapterSettings(FromEnvironment):
    """``FASTCHECK_LCK_DATABASE_URL``, with the migration role: emptying the ledger disables its triggers."""

    lck_database_url: SecretStr


class Refused(Exception):
    """The ledger refused; the text is the kit's ``reason``."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of the kit: unsigned, with its direction."""

    account: str
    is_debit: bool
    amount_minor: int
    currency: str

    @property
    def user_id(self) -> UUID:
        return derived_id("lck", self.account)


def create_app(settings: AdapterSettings | None = None) -> Flask:
    """The adapter. Raises ValueError for a database that does not look like scratch."""
    url = (settings or AdapterSettings()).lck_database_url.get_secret_value()
    if not SCRATCH.match(make_url(url).database or ""):
        raise ValueError(f"{make_url(url).database} is no scratch database: the adapter would empty it")
    db = Database(
        with_session_settings(url, statement_timeout=60_000, lock_timeout=2_000),
        settings=DatabaseSettings(database_pool_size=40, database_pool_timeout_seconds=60),
        application_name="lck-adapter",
    )
    app = Flask(__name__)

    @app.post("/_lck/reset")
    def reset() -> Response:
        with db.transaction() as tx:
            tx.execute(text(_RESET))
        return jsonify(status="empty")

    @app.post("/_lck/post")
    def post() -> Response:
        wanted: dict[str, Any] = request.get_json()
        transaction_id = str(wanted["transactionId"])
        try:
            is_new = _post(db, transaction_id, str(wanted["idempotencyKey"]), _legs(wanted))
        except Refused as refusal:
            return jsonify(status="REJECTED", transactionId=transaction_id, reason=str(refusal))
        return jsonify(status="APPLIED" if is_new else "DUPLICATE", transactionId=transaction_id, reason=None)

    @app.get("/_lck/balance")
    def balance() -> Response:
        account, currency = request.args["account"], request.args["currency"]
        with db.autocommit() as tx:
            subunits = repository.balance_of(tx, user_account_id(derived_id("lck", account), currency))
        return jsonify(subunits=subunits)

    @app.get("/_lck/journal")
    def journal() -> Response:
        chain.seal(db)
        with db.transaction() as tx:
            return jsonify(list(_journal(tx)))

    return app


def _legs(wanted: dict[str, Any]) -> list[Leg]:
    return [
        Leg(str(leg["accountId"]), leg["type"] == "DEBIT", int(leg["amountSubunits"]), str(leg["currency"]))
        for leg in wanted["legs"]
    ]


def _post(db: Database, transaction_id: str, key: str, legs: list[Leg]) -> bool:
    """Make it so, once per key; returns whether it is new. Raises Refused."""
    debits, credits_ = [leg for leg in legs if leg.is_debit], [leg for leg in legs if not leg.is_debit]
    if len(debits) != 1 or len(credits_) != 1:
        raise Refused("a move of this ledger has one side that gives and one that takes")
    source, target = debits[0], credits_[0]
    fits = (source.amount_minor, source.currency) == (target.amount_minor, target.currency)
    subject = derived_id("lck", key)

    def posting(kind: TransferKind, leg: Leg) -> Posting:
        reference = json.dumps({"transaction": transaction_id, "account": leg.account, "source": source.account})
        return Posting(kind, subject, leg.user_id, leg.amount_minor, leg.currency, reference)

    try:
        if source.account.startswith(EXTERNAL):
            if not fits:
                raise Refused("a top-up has one amount in one currency: this ledger has no words for another")
            return _credit(db, posting(TransferKind.TOPUP, target))
        hold = posting(TransferKind.CHECK_CREATED, source)
        accept = posting(TransferKind.CHECK_ACCEPTED, target)
        if not fits:
            _offer_in_one(db, hold, accept)
        service.debit(db, hold)
        return _credit(db, accept)
    except (InsufficientFunds, TransferConflict) as error:
        raise Refused(_sentence(error)) from error
    except IntegrityError as error:
        raise Refused(str(error.orig).splitlines()[0]) from error


def _sentence(error: BusinessError) -> str:
    return f"{error.code}: {error.text}"


@retry_on_conflict
def _credit(db: Database, posting: Posting) -> bool:
    """What the use case does, with the answer to "was it I?", which a handler of events has no need of."""
    with db.transaction() as tx:
        if repository.credit(tx, [posting]):
            return True
        found = repository.find_outcome(tx, posting)
    if found != ("posted", True):
        raise TransferConflict
    return False


def _offer_in_one(db: Database, hold: Posting, accept: Posting) -> None:
    """Two halves that do not fit: whatever the ledger says, it says it about both, and nothing of it stays."""
    with db.transaction() as tx:
        if not repository.debit(tx, hold):
            raise InsufficientFunds
        repository.credit(tx, [accept])
        raise Refused("the ledger took what does not fit")


def _journal(tx: Connection) -> Iterator[dict[str, Any]]:
    previous = GENESIS if not tx.execute(_MISSING).scalar_one() else "a sealed transfer is missing"
    numbers: dict[str, int] = {}
    for row in tx.execute(_JOURNAL):
        names = json.loads(row.reference)
        account = names["source"] if row.account_kind == "bank" else names["account"]
        numbers[account] = numbers.get(account, 0) + 1
        entry = {
            "entryId": str(row.entry_id),
            "transactionId": names["transaction"],
            "accountId": account,
            "type": "DEBIT" if row.amount_minor < 0 else "CREDIT",
            "amountSubunits": abs(row.amount_minor),
            "currency": row.currency,
            "sequence": row.entry_id,
            "accountSequence": numbers[account],
            "prevHash": previous,
        }
        previous = entry_hash(entry) if row.as_sealed else "this row is not what was sealed"
        yield {**entry, "entryHash": previous}


def entry_hash(entry: dict[str, Any]) -> str:
    """The kit's own formula: SHA-256 over the fields with bars between them."""
    names = ("prevHash", "transactionId", "accountId", "type", "amountSubunits", "currency", "sequence")
    return sha256("|".join(str(entry[name]) for name in names).encode()).hexdigest()
