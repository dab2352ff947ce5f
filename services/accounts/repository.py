"""The SQL statements of accounts."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from services.accounts.models import FailureLimit, ListedSession, LiveSession, NewSession, User

_FIND_BY_LOGIN = text("SELECT user_id, login, password_hash, created_at FROM users WHERE login = :login")

_FIND = text("SELECT user_id, login, password_hash, created_at FROM users WHERE user_id = :user_id")

_ADD_WITH_SESSION = text("""
    WITH added AS (
        INSERT INTO users (user_id, login, password_hash, created_at)
        VALUES (:user_id, :login, :password_hash, :created_at)
        ON CONFLICT (login) DO NOTHING
        RETURNING user_id
    )
    INSERT INTO sessions (session_hash, user_id, created_at, expires_at, last_used_at, device)
    SELECT :session_hash, user_id, :created_at, :expires_at, :created_at, :device FROM added
    RETURNING 1
""")

# FOR SHARE serializes a sign-in with a change of the password on the user's row: a session that starts with the old
# password is either ended by the change or not started.
# The two deletions keep the table small: this user's ended and surplus sessions, and expired sessions of all users.
_START_SESSION = text("""
    WITH owner AS (
        SELECT user_id FROM users WHERE user_id = :user_id AND password_hash = :password_hash FOR SHARE
    ), own AS (
        SELECT session_hash, expires_at, last_used_at, row_number() OVER (ORDER BY last_used_at DESC) AS place
          FROM sessions WHERE user_id = :user_id
    ), ended AS (
        DELETE FROM sessions
         WHERE session_hash = ANY(ARRAY(
                   SELECT session_hash FROM own
                    WHERE place >= :max_sessions OR expires_at <= :created_at OR last_used_at <= :idle_since
                    LIMIT :batch_size))
    ), expired AS (
        DELETE FROM sessions
         WHERE session_hash = ANY(ARRAY(
                   SELECT session_hash FROM sessions
                    WHERE expires_at <= :created_at AND user_id <> :user_id
                    ORDER BY expires_at LIMIT :batch_size FOR UPDATE SKIP LOCKED))
    )
    INSERT INTO sessions (session_hash, user_id, created_at, expires_at, last_used_at, device)
    SELECT :session_hash, user_id, :created_at, :expires_at, :created_at, :device FROM owner
    RETURNING 1
""")

# Writes, and so commits, only if the last recorded use is older than the cache duration.
_FIND_LIVE_SESSION = text("""
    WITH found AS (
        SELECT session_hash, user_id, expires_at, last_used_at
          FROM sessions
         WHERE session_hash = :session_hash AND expires_at > :now AND last_used_at > :idle_since
    ), touched AS (
        UPDATE sessions SET last_used_at = :now
          FROM found
         WHERE sessions.session_hash = found.session_hash AND sessions.last_used_at <= :touch_if_before
    )
    SELECT user_id, expires_at FROM found
""")

_END_SESSION = text("DELETE FROM sessions WHERE session_hash = :session_hash AND user_id = :user_id")

_END_SESSIONS = text("DELETE FROM sessions WHERE user_id = :user_id AND session_hash <> :excepted_hash")

_LIST_SESSIONS = text("""
    SELECT session_key, device, created_at, last_used_at, expires_at, session_hash = :session_hash AS is_current
      FROM sessions
     WHERE user_id = :user_id AND expires_at > :now AND last_used_at > :idle_since
     ORDER BY last_used_at DESC, session_key
""")

_END_SESSION_BY_KEY = text("DELETE FROM sessions WHERE user_id = :user_id AND session_key = :session_key")

_REPLACE_PASSWORD = text("""
    UPDATE users SET password_hash = :new_hash WHERE user_id = :user_id AND password_hash = :old_hash
""")

_FORGIVEN_AT = text("SELECT subject, forgiven_at FROM failed_logins WHERE subject = ANY(CAST(:subjects AS bytea[]))")

_RECORD_FAILURE = text("""
    WITH forgotten AS (
        DELETE FROM failed_logins
         WHERE subject = ANY(ARRAY(
                   SELECT subject FROM failed_logins
                    WHERE forgiven_at < :now AND subject <> ALL(CAST(:subjects AS bytea[]))
                    ORDER BY forgiven_at LIMIT :batch_size FOR UPDATE SKIP LOCKED))
    )
    INSERT INTO failed_logins AS known (subject, forgiven_at)
    SELECT subject, :now + forgiven_every
      FROM unnest(CAST(:subjects AS bytea[]), CAST(:intervals AS interval[])) AS failed (subject, forgiven_every)
     ORDER BY subject
    ON CONFLICT (subject) DO UPDATE
       SET forgiven_at = EXCLUDED.forgiven_at + GREATEST(known.forgiven_at - :now, interval '0')
""")

#: The number of ended sessions, or of forgiven failures, that one request deletes at most.
CLEARING_BATCH_SIZE = 100


def find_user_by_login(tx: Connection, login: str) -> User | None:
    """Return the user with this lower-case login, or None."""
    row = tx.execute(_FIND_BY_LOGIN, {"login": login}).mappings().one_or_none()
    return User(**row) if row else None


def find_user(tx: Connection, user_id: UUID) -> User | None:
    """Return the user with this id, or None."""
    row = tx.execute(_FIND, {"user_id": user_id}).mappings().one_or_none()
    return User(**row) if row else None


def add_user_with_session(tx: Connection, user: User, session: NewSession) -> bool:
    """Insert a user with a first session; return False, and insert neither, if the login is taken."""
    values = {**_session(session), "login": user.login, "password_hash": user.password_hash}
    return tx.execute(_ADD_WITH_SESSION, values).one_or_none() is not None


def start_session(
    tx: Connection, session: NewSession, *, password_hash: str, idle_since: datetime, max_sessions: int
) -> bool:
    """Insert a session and delete ended ones; return False if the user's hash is no longer ``password_hash``."""
    values = {
        **_session(session),
        "password_hash": password_hash,
        "idle_since": idle_since,
        "max_sessions": max_sessions,
        "batch_size": CLEARING_BATCH_SIZE,
    }
    return tx.execute(_START_SESSION, values).one_or_none() is not None


def find_live_session(
    tx: Connection, session_hash: bytes, *, now: datetime, idle_since: datetime, touch_if_before: datetime
) -> LiveSession | None:
    """Return the session if it has not expired and was used since ``idle_since``, or None; record its use if due."""
    row = (
        tx.execute(
            _FIND_LIVE_SESSION,
            {
                "session_hash": session_hash,
                "now": now,
                "idle_since": idle_since,
                "touch_if_before": touch_if_before,
            },
        )
        .mappings()
        .one_or_none()
    )
    return LiveSession(**row) if row else None


def end_session(tx: Connection, session_hash: bytes, user_id: UUID) -> None:
    """Delete one session of the user; no effect if it has ended."""
    tx.execute(_END_SESSION, {"session_hash": session_hash, "user_id": user_id})


def end_sessions(tx: Connection, user_id: UUID, *, but: bytes = b"") -> None:
    """Delete all sessions of the user except the one with the hash ``but``."""
    tx.execute(_END_SESSIONS, {"user_id": user_id, "excepted_hash": but})


def list_sessions(
    tx: Connection, user_id: UUID, session_hash: bytes, *, now: datetime, idle_since: datetime
) -> list[ListedSession]:
    """Return the user's active sessions, last used first; the one with ``session_hash`` is current."""
    values = {"user_id": user_id, "session_hash": session_hash, "now": now, "idle_since": idle_since}
    return [ListedSession(**row) for row in tx.execute(_LIST_SESSIONS, values).mappings()]


def end_session_by_key(tx: Connection, user_id: UUID, session_key: UUID) -> bool:
    """Delete one session of the user by its public key; return False if there is none."""
    return tx.execute(_END_SESSION_BY_KEY, {"user_id": user_id, "session_key": session_key}).rowcount == 1


def replace_password(tx: Connection, user_id: UUID, *, old_hash: str, new_hash: str) -> bool:
    """Set a new password hash; return False if the old one has changed."""
    values = {"user_id": user_id, "old_hash": old_hash, "new_hash": new_hash}
    return tx.execute(_REPLACE_PASSWORD, values).rowcount == 1


def forgiven_at(tx: Connection, limits: Sequence[FailureLimit]) -> dict[bytes, datetime]:
    """Return the instant at which all failures are forgiven, by subject; subjects without failures are absent."""
    rows = tx.execute(_FORGIVEN_AT, {"subjects": [limit.subject for limit in limits]})
    return {bytes(row.subject): row.forgiven_at for row in rows}


def record_failure(tx: Connection, limits: Sequence[FailureLimit], now: datetime) -> None:
    """Count one failure for each subject, and delete a batch of forgiven ones."""
    tx.execute(
        _RECORD_FAILURE,
        {
            "subjects": [limit.subject for limit in limits],
            "intervals": [limit.forgiven_every for limit in limits],
            "now": now,
            "batch_size": CLEARING_BATCH_SIZE,
        },
    )


def _session(session: NewSession) -> dict[str, object]:
    return {
        "session_hash": session.session_hash,
        "user_id": session.user_id,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "device": session.device,
    }
