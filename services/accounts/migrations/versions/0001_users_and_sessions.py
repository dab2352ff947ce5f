"""Users, their sessions, and the memory of failed sign-ins."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE users (
    user_id       uuid        PRIMARY KEY,
    login         text        NOT NULL UNIQUE CHECK (login = lower(login) AND length(login) BETWEEN 3 AND 64),
    password_hash text        NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    created_at    timestamptz NOT NULL
);

CREATE TABLE sessions (
    session_hash bytea       PRIMARY KEY CHECK (octet_length(session_hash) = 32),
    user_id      uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > created_at),
    last_used_at timestamptz NOT NULL
) WITH (fillfactor = 80);
COMMENT ON COLUMN sessions.session_hash IS 'SHA-256 of the session id, which itself is kept nowhere.';
COMMENT ON COLUMN sessions.last_used_at IS
    'Exact to a minute. In no index, so that writing it touches the row alone.';
CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE failed_logins (
    subject     bytea       PRIMARY KEY,
    forgiven_at timestamptz NOT NULL
);
COMMENT ON TABLE failed_logins IS
    'Per SHA-256 of a login (and address): when its failures are all forgiven. Logins that do not exist fail alike.';
CREATE INDEX failed_logins_age ON failed_logins (forgiven_at);
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    raise RuntimeError("users are not taken back: restore a backup instead")
