"""Use cases of accounts. No transaction is open while a password is hashed, which takes 22 ms and may wait."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NoReturn
from uuid import UUID, uuid4

from common.core.addresses import address_to_count
from common.core.errors import NotAuthorized, TooManyRequests
from common.core.security_log import SecurityLog
from common.db.errors import retry_on_conflict
from services.accounts import log_events, repository
from services.accounts.context import Context
from services.accounts.errors import LoginTaken, SessionNotFound, SessionUnknown, WrongCredentials, WrongPassword
from services.accounts.models import Device, FailureLimit, ListedSession, NewSession, User
from services.accounts.password_strength import require_strong

security_log = SecurityLog(__name__)

#: Interval after which one more failed sign-in from the same address is allowed.
FAILED_LOGIN_FORGIVEN_SECONDS: Final = 60.0
#: The same for all addresses together: shorter, so that one address cannot lock the account.
FAILED_LOGIN_ANYWHERE_FORGIVEN_SECONDS: Final = 6.0
#: Time for which the gateway may use a cached session. Also the precision of ``last_used_at``.
SESSION_CACHE_SECONDS: Final = 60


def register(context: Context, login: str, password: str, device: str | None = None) -> NewSession:
    """Create a user with a first session, in one statement; raises WeakPassword, LoginTaken and ServiceUnavailable."""
    require_strong(password, login, min_score=context.settings.min_password_score)
    password_hash = context.passwords.hash(password)
    now = context.clock.now()
    user = User(uuid4(), login.lower(), password_hash, now)
    session = _new_session(context, user.user_id, now, device)
    with context.db.autocommit() as tx:
        if not repository.add_user_with_session(tx, user, session):
            raise LoginTaken(errors={"login": "is taken"})
    security_log.info(log_events.USER_REGISTERED, user_id=str(user.user_id))
    return session


def log_in(
    context: Context,
    login: str,
    password: str,
    address: str,
    device: str | None = None,
    *,
    known_devices: Sequence[Device] = (),
) -> NewSession:
    """Start a session; raises WrongCredentials, TooManyRequests and ServiceUnavailable.

    ``address`` is the client's, ``known_devices`` the devices that the client has proved to be. After too many failures
    the sign-in is delayed, see :class:`~services.accounts.delays.SignInDelays`; but not on a device that is known to
    the account, which has a limit of its own and which no one else can use up. Statements and computation do not depend
    on whether the login exists. A failure is counted after the password was verified, so concurrent guesses can exceed
    the limit once, by the number of passwords that are hashed at once.
    """
    login = login.lower()
    with context.db.autocommit() as tx:
        user = repository.find_user_by_login(tx, login)
        known = next((each for each in known_devices if user and each.user_id == user.user_id), None)
        limits = _device_limits(context, known) if known else _login_limits(context, login, address)
        seconds = _seconds_to_wait(repository.forgiven_at(tx, limits), limits, context.clock.now())
    if seconds and known:
        _refuse(seconds)
    if seconds:
        _delay(context, login, address)
    right = context.passwords.matches(user.password_hash if user else None, password)
    if user is None or not right:
        _count_failure(context, limits)
        security_log.warning(log_events.SIGN_IN_FAILED, address=address, **_named(user))
        raise WrongCredentials
    session = _new_session(context, user.user_id, context.clock.now(), device)
    if not _start_session(context, session, user.password_hash):
        raise WrongCredentials  # the password was changed while the old one was verified
    security_log.info(log_events.SIGNED_IN, address=address, device_is_known=known is not None, **_named(user))
    return session


def log_out(context: Context, user_id: UUID, session_hash: bytes) -> None:
    """End one session. The gateway, which caches sessions, is responsible for dropping it from its cache."""
    with context.db.autocommit() as tx:
        repository.end_session(tx, session_hash, user_id)
    security_log.info(log_events.SESSIONS_ENDED, user_id=str(user_id), which="this")


def log_out_everywhere(context: Context, user_id: UUID) -> None:
    """End all sessions of the user."""
    with context.db.autocommit() as tx:
        repository.end_sessions(tx, user_id)
    security_log.info(log_events.SESSIONS_ENDED, user_id=str(user_id), which="all")


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
    security_log.info(log_events.SESSIONS_ENDED, user_id=str(user_id), which="another")


def get_me(context: Context, user_id: UUID) -> User:
    """Return the user; raises NotAuthorized if there is none."""
    with context.db.autocommit() as tx:
        user = repository.find_user(tx, user_id)
    if user is None:
        raise NotAuthorized
    return user


def change_password(context: Context, user_id: UUID, session_hash: bytes, old_password: str, new_password: str) -> None:
    """Set a new password and end all other sessions.

    Failures are counted per session, so that the thief of one cannot keep the user from changing the password.
    Raises WrongPassword, WeakPassword, TooManyRequests after too many failures, NotAuthorized and ServiceUnavailable.
    """
    limits = _password_limits(context, session_hash)
    with context.db.autocommit() as tx:
        seconds = _seconds_to_wait(repository.forgiven_at(tx, limits), limits, context.clock.now())
    if seconds:
        _refuse(seconds, user_id=str(user_id))
    user = get_me(context, user_id)
    if not context.passwords.matches(user.password_hash, old_password):
        _count_failure(context, limits)
        security_log.warning(log_events.PASSWORD_CHANGE_REJECTED, user_id=str(user_id))
        raise WrongPassword(errors={"oldPassword": "is wrong"})
    require_strong(new_password, user.login, min_score=context.settings.min_password_score, field="newPassword")
    _replace_password(context, user, context.passwords.hash(new_password), session_hash)
    security_log.info(log_events.PASSWORD_CHANGED, user_id=str(user_id))


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


def _seconds_to_wait(forgiven_at: dict[bytes, datetime], limits: Sequence[FailureLimit], now: datetime) -> int:
    return max((limit.seconds_to_wait(forgiven_at.get(limit.subject), now) for limit in limits), default=0)


def _refuse(seconds: int, **fields: str) -> NoReturn:
    security_log.warning(log_events.SIGN_IN_REFUSED, **fields)
    raise TooManyRequests("too many failed attempts: try again later", retry_after_seconds=seconds)


def _delay(context: Context, login: str, address: str) -> None:
    try:
        context.delays.delay(login, address_to_count(address))
    except TooManyRequests:
        security_log.warning(log_events.SIGN_IN_REFUSED, address=address)
        raise
    security_log.warning(log_events.SIGN_IN_DELAYED, address=address)


def _named(user: User | None) -> dict[str, str]:
    return {"user_id": str(user.user_id)} if user else {}


def _login_limits(context: Context, login: str, address: str) -> list[FailureLimit]:
    settings = context.settings
    if not settings.rate_limit_enabled:
        return []
    here = (settings.failed_logins_burst, FAILED_LOGIN_FORGIVEN_SECONDS)
    anywhere = (settings.failed_logins_anywhere_burst, FAILED_LOGIN_ANYWHERE_FORGIVEN_SECONDS)
    return [
        FailureLimit.of(*here, "login", login, address_to_count(address)),
        FailureLimit.of(*anywhere, "login", login),
    ]


def _device_limits(context: Context, device: Device) -> list[FailureLimit]:
    settings = context.settings
    if not settings.rate_limit_enabled:
        return []
    subject = ("device", str(device.user_id), str(device.device_id))
    return [FailureLimit.of(settings.failed_logins_burst, FAILED_LOGIN_FORGIVEN_SECONDS, *subject)]


def _password_limits(context: Context, session_hash: bytes) -> list[FailureLimit]:
    """Return the limits that keep a stolen session from guessing the password."""
    settings = context.settings
    if not settings.rate_limit_enabled:
        return []
    return [
        FailureLimit.of(settings.failed_logins_burst, FAILED_LOGIN_FORGIVEN_SECONDS, "password", session_hash.hex())
    ]


def _new_session(context: Context, user_id: UUID, now: datetime, device: str | None) -> NewSession:
    return NewSession.start(user_id, now, timedelta(seconds=context.settings.session_lifetime_seconds), device)


def _idle_since(context: Context, now: datetime) -> datetime:
    return now - timedelta(seconds=context.settings.session_idle_seconds)


def _cache_duration(context: Context) -> timedelta:
    """Return how long a session may be cached, and a use not recorded: at most a tenth of the idle time-out."""
    settings = context.settings
    return timedelta(seconds=min(SESSION_CACHE_SECONDS, settings.session_idle_seconds / 10))
