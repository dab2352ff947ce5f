"""Business failures of accounts."""

from common.core.errors import BusinessError


class LoginTaken(BusinessError):
    """Another user has this login. Logins are compared without case."""

    status = 409
    code = "login_taken"
    message = "this login is taken"


class WrongCredentials(BusinessError):
    """Unknown login or wrong password: one response, after the same work, so that logins cannot be probed."""

    status = 401
    code = "wrong_credentials"
    message = "wrong login or password"


class WrongPassword(BusinessError):
    """The old password is wrong. A 403, because a 401 means that the session has ended."""

    status = 403
    code = "wrong_password"
    message = "the old password is wrong"


class WeakPassword(BusinessError):
    """A new password is easy to guess, as zxcvbn rates it."""

    status = 400
    code = "weak_password"
    message = "this password is easy to guess: use several words that do not belong together"


class SessionNotFound(BusinessError):
    """The id is unknown, the session has ended, or it belongs to another user. The caller cannot tell which."""

    status = 404
    code = "session_not_found"
    message = "you have no session with this id"


class SessionUnknown(BusinessError):
    """Internal: no active session has this hash."""

    status = 404
    code = "session_unknown"
    message = "no active session has this hash"
