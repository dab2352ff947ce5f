"""Use cases of accounts. No transaction is open while a password is hashed, which takes 22 ms and may wait."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from common.core.errors import NotAuthorized, TooManyRequests
from common.db.errors import retry_on_conflict
from services.accounts import repository
from services.accounts.context import Context
from services.accounts.errors import LoginTaken, SessionNotFound, SessionUnknown, WrongCredentials, WrongPassword
from services.accounts.models import FailureLimit, ListedSession, NewSession, User

#: Interval after which one more failed sign-in from the same address is allowed.
FAILED_LOGIN_FORGIVEN_SECONDS: Final = 60.0
#: The same for all addresses together: shorter, so that one address cannot lock the account.
FAILED_LOGIN_ANYWHERE_FORGIVEN_SECONDS: Final = 6.0
#: Time for which the gateway may use a cached session. Also the precision of ``last_used_at``.
SESSION_CACHE_SECONDS: Final = 60


def register(context: Context, login: str, password: str, device: str | None = None) -> NewSession:
    """Create a user with a first session, in one statement; raises LoginTaken and ServiceUnavailable."""
    password_hash = context.passwords.hash(password)
    now = context.clock.now()
    user = User(uuid4(), login.lower(), password_hash, now)
    session = _new_session(context, user.user_id, now, device)
    with context.db.autocommit() as tx:
        if not repository.add_user_with_session(tx, user, session):
            raise LoginTaken(errors={"login": "is taken"})
    return session


def log_in(context: Context, login: str, password: str, address: str, device: str | None = None) -> NewSession:
    """Start a session; raises WrongCredentials, TooManyRequests after too many failures, and ServiceUnavailable.

    ``address`` is the client's. Statements and computation do not depend on whether the login exists. A failure is
    counted after the password was verified, so concurrent guesses can exceed the limit once, by the number of
    passwords that are hashed at once.
    """
    login = login.lower()
    limits = _login_limits(context, login, address)
    with context.db.autocommit() as tx:
        _refuse_if_blocked(repository.forgiven_at(tx, limits), limits, context.clock.now())
        user = repository.find_user_by_login(tx, login)
    right = context.passwords.matches(user.password_hash if user else None, password)
    if user is None or not right:
        _count_failure(context, limits)
        raise WrongCredentials
    session = _new_session(context, user.user_id, context.clock.now(), device)
    if not _start_session(context, session, user.password_hash):
        raise WrongCredentials  # the password was changed while the old one was verified
    return session


def log_out(context: Context, user_id: UUID, session_hash: bytes) -> None:
    """End one session. The gateway, which caches sessions, is responsible for dropping it from its cache."""
    with context.db.autocommit() as tx:
        repository.end_session(tx, session_hash, user_id)


def log_out_everywhere(context: Context, user_id: UUID) -> None:
    """End all sessions of the user."""
    with context.db.autocommit() as tx:
        repository.end_sessions(tx, user_id)


def list_sessions(context: Context, user_id: UUID, session_hash: bytes) -> list[ListedSession]:
    """Return the user's active sessions, last used first."""
    now = context.clock.now()
    with context.db.autocommit() as tx:
        return repository.list_sessions(tx, user_id, session_hash, now=now, idle_since=_idle_since(context, now))


def end_session(context: Context, user_id: UUID, session_key: UUID) -> None:
    """End one session of the user; raises SessionNotFound. See :func:`log_out` for the gateway's cache."""
    with context.db.autocommit() as tx:
        if not repository.end_session_by_key(tx, user_id, session_key):
            raise SessionNotFound


def get_me(context: Context, user_id: UUID) -> User:
    """Return the user; raises NotAuthorized if there is none."""
    with context.db.autocommit() as tx:
        user = repository.find_user(tx, user_id)
    if user is None:
        raise NotAuthorized
    return user


def change_password(context: Context, user_id: UUID, session_hash: bytes, old_password: str, new_password: str) -> None:
    """Set a new password and end all other sessions.

    Raises WrongPassword, TooManyRequests after too many failures, NotAuthorized and ServiceUnavailable.
    """
    limits = _password_limits(context, user_id)
    with context.db.autocommit() as tx:
        _refuse_if_blocked(repository.forgiven_at(tx, limits), limits, context.clock.now())
    user = get_me(context, user_id)
    if not context.passwords.matches(user.password_hash, old_password):
        _count_failure(context, limits)
        raise WrongPassword(errors={"oldPassword": "is wrong"})
    _replace_password(context, user, context.passwords.hash(new_password), session_hash)


def verify_session(context: Context, session_hash: bytes) -> tuple[UUID, int]:
    """Return the user of an active session and the seconds that the gateway may cache it; raises SessionUnknown."""
    now = context.clock.now()
    cache_duration = _cache_duration(context)
    with context.db.autocommit() as tx:
        session = repository.find_live_session(
            tx, session_hash, now=now, idle_since=_idle_since(context, now), touch_if_before=now - cache_duration
        )
    if session is None:
        raise SessionUnknown
    return session.user_id, int(min(cache_duration, session.expires_at - now).total_seconds())


@retry_on_conflict
def _start_session(context: Context, session: NewSession, password_hash: str) -> bool:
    with context.db.autocommit() as tx:
        return repository.start_session(
            tx,
            session,
            password_hash=password_hash,
            idle_since=_idle_since(context, session.created_at),
            max_sessions=context.settings.max_sessions_per_user,
        )


@retry_on_conflict
def _replace_password(context: Context, user: User, new_hash: str, session_hash: bytes) -> None:
    """Replace the hash, then end other sessions. The second statement sees sign-ins that the first waited for."""
    with context.db.transaction() as tx:
        if not repository.replace_password(tx, user.user_id, old_hash=user.password_hash, new_hash=new_hash):
            raise WrongPassword(errors={"oldPassword": "is wrong"})  # a concurrent change was first
        repository.end_sessions(tx, user.user_id, but=session_hash)


@retry_on_conflict
def _count_failure(context: Context, limits: Sequence[FailureLimit]) -> None:
    if limits:
        with context.db.autocommit() as tx:
            repository.record_failure(tx, limits, context.clock.now())


def _refuse_if_blocked(forgiven_at: dict[bytes, datetime], limits: Sequence[FailureLimit], now: datetime) -> None:
    seconds = max((limit.seconds_to_wait(forgiven_at.get(limit.subject), now) for limit in limits), default=0)
    if seconds:
        raise TooManyRequests("too many failed attempts: try again later", retry_after_seconds=seconds)


def _login_limits(context: Context, login: str, address: str) -> list[FailureLimit]:
    settings = context.settings
    if not settings.rate_limit_enabled:
        return []
    here = (settings.failed_logins_burst, FAILED_LOGIN_FORGIVEN_SECONDS)
    anywhere = (settings.failed_logins_anywhere_burst, FAILED_LOGIN_ANYWHERE_FORGIVEN_SECONDS)
    return [FailureLimit.of(*here, "login", login, address), FailureLimit.of(*anywhere, "login", login)]


def _password_limits(context: Context, user_id: UUID) -> list[FailureLimit]:
    """Return the limits that keep a stolen session from guessing the password."""
    settings = context.settings
    if not settings.rate_limit_enabled:
        return []
    return [FailureLimit.of(settings.failed_logins_burst, FAILED_LOGIN_FORGIVEN_SECONDS, "password", str(user_id))]


def _new_session(context: Context, user_id: UUID, now: datetime, device: str | None) -> NewSession:
    return NewSession.start(user_id, now, timedelta(seconds=context.settings.session_lifetime_seconds), device)


def _idle_since(context: Context, now: datetime) -> datetime:
    return now - timedelta(seconds=context.settings.session_idle_seconds)


def _cache_duration(context: Context) -> timedelta:
    """Return how long a session may be cached, and a use not recorded: at most a tenth of the idle time-out."""
    settings = context.settings
    return timedelta(seconds=min(SESSION_CACHE_SECONDS, settings.session_idle_seconds / 10))
