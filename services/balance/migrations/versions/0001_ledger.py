"""The ledger, and the inbox through which events reach it."""

from alembic import op
from sqlalchemy import text

from common.bus.schema import INBOX_V1
from common.core.money import MINOR_DIGITS
from services.balance.models import SystemAccount, system_account_id

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE accounts (
    account_id    uuid        PRIMARY KEY,
    kind          text        NOT NULL CHECK (kind IN ('user', 'bank', 'escrow')),
    user_id       uuid,
    currency      text        NOT NULL CHECK (length(currency) = 3),
    balance_minor bigint,
    opened_at     timestamptz NOT NULL DEFAULT now(),
    -- A user never owes. The system's accounts keep no balance: nobody waits for them.
    CONSTRAINT balance_is_never_negative CHECK (balance_minor >= 0),
    CONSTRAINT only_users_have_balances
        CHECK ((kind = 'user') = (balance_minor IS NOT NULL) AND (kind = 'user') = (user_id IS NOT NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX accounts_of_user ON accounts (user_id, currency) WHERE kind = 'user';

CREATE TABLE transfers (
    transfer_id  uuid        PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('topup', 'check_created', 'check_accepted', 'check_expired',
                                                      'check_cancelled', 'topup_refunded')),
    outcome      text        NOT NULL CHECK (outcome IN ('posted', 'refused')),
    subject_id   uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    closes_id    uuid        UNIQUE,
    amount_minor bigint      NOT NULL CHECK (amount_minor > 0),
    currency     text        NOT NULL,
    reference    text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT endings_close_a_hold
        CHECK ((kind IN ('check_accepted', 'check_expired', 'check_cancelled')) = (closes_id IS NOT NULL))
);

CREATE TABLE entries (
    entry_id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transfer_id   uuid        NOT NULL,
    account_id    uuid        NOT NULL,
    amount_minor  bigint      NOT NULL CHECK (amount_minor <> 0),
    currency      text        NOT NULL,
    balance_after bigint      CHECK (balance_after >= 0),
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (transfer_id, account_id)
);
CREATE INDEX entries_of_user ON entries (account_id, entry_id) WHERE balance_after IS NOT NULL;
COMMENT ON TABLE entries IS
    'Signed amounts. A trigger stands in for foreign keys: a key lock on the escrow account would make it hot.';
"""

RULES = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER accounts_stay BEFORE DELETE OR TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Both checks run once per statement, over all its rows: a batch of a hundred transfers is checked at once.
CREATE FUNCTION check_transfers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong uuid;
BEGIN
    SELECT n.transfer_id INTO wrong
      FROM new_transfers n
      LEFT JOIN transfers hold ON hold.transfer_id = n.closes_id
     WHERE n.closes_id IS NOT NULL
       AND (hold.kind, hold.outcome, hold.subject_id, hold.amount_minor, hold.currency)
           IS DISTINCT FROM ('check_created', 'posted', n.subject_id, n.amount_minor, n.currency)
     LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'transfer % closes no such hold', wrong USING ERRCODE = 'foreign_key_violation';
    END IF;

    SELECT n.transfer_id INTO wrong
      FROM new_transfers n
     WHERE (SELECT count(*) FROM entries e WHERE e.transfer_id = n.transfer_id)
           <> CASE n.outcome WHEN 'posted' THEN 2 ELSE 0 END
     LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'transfer % does not have its entries', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_transfers AFTER INSERT ON transfers REFERENCING NEW TABLE AS new_transfers
    FOR EACH STATEMENT EXECUTE FUNCTION check_transfers();

CREATE FUNCTION check_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong uuid;
BEGIN
    SELECT n.transfer_id INTO wrong
      FROM (SELECT DISTINCT transfer_id FROM new_entries) n
      LEFT JOIN transfers t USING (transfer_id)
      CROSS JOIN LATERAL (
          SELECT sum(e.amount_minor) AS total, max(e.amount_minor) AS moved, count(*) AS legs,
                 bool_and(e.currency = t.currency AND a.currency = t.currency
                          AND (e.balance_after IS NULL) = (a.kind <> 'user')
                          AND (a.kind <> 'user' OR a.user_id = t.user_id)) AS fits
            FROM entries e LEFT JOIN accounts a USING (account_id)
           WHERE e.transfer_id = n.transfer_id) e
     WHERE t.outcome IS DISTINCT FROM 'posted'
        OR (e.total, e.moved, e.legs, e.fits) IS DISTINCT FROM (0::numeric, t.amount_minor, 2::bigint, true)
     LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'the entries of transfer % do not balance', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_entries AFTER INSERT ON entries REFERENCING NEW TABLE AS new_entries
    FOR EACH STATEMENT EXECUTE FUNCTION check_entries();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(RULES)
    op.execute(INBOX_V1)
    for account in SystemAccount:
        for currency in MINOR_DIGITS:
            op.execute(
                text("INSERT INTO accounts (account_id, kind, currency) VALUES (:id, :kind, :currency)").bindparams(
                    id=system_account_id(account, currency), kind=account.value, currency=currency
                )
            )


def downgrade() -> None:
    raise RuntimeError("a ledger is not taken back: restore a backup instead")
