"""Business failures of accounts."""

from common.core.errors import BusinessError


class LoginTaken(BusinessError):
    """Somebody has this login already, in whatever case it was written."""

    status = 409
    code = "login_taken"
    message = "this login is taken"


class WrongCredentials(BusinessError):
    """The same answer, in the same time, whether the login exists or not."""

    status = 401
    code = "wrong_credentials"
    message = "wrong login or password"


class WrongPassword(BusinessError):
    """The session is good and the old password is not. No 401: that would say that the session is dead."""

    status = 403
    code = "wrong_password"
    message = "the old password is wrong"


class SessionUnknown(BusinessError):
    """Internal: no living session has this hash."""

    status = 404
    code = "session_unknown"
    message = "no living session has this hash"
