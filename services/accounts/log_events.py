"""The names of the log events of accounts. All of them belong to the security audit trail."""

from typing import Final

#: A user changed the password; all other sessions ended.
PASSWORD_CHANGED: Final = "password_changed"  # noqa: S105  the name of an event
#: A change of the password was rejected: the old one was wrong.
PASSWORD_CHANGE_REJECTED: Final = "password_change_rejected"  # noqa: S105  the name of an event
#: A user ended sessions: this one, another one, or all.
SESSIONS_ENDED: Final = "sessions_ended"
#: A user signed in.
SIGNED_IN: Final = "signed_in"
#: A sign-in was delayed, because there were many failures and the device is not known to the account.
SIGN_IN_DELAYED: Final = "sign_in_delayed"
#: A sign-in failed; `user_id` is absent if the login is unknown.
SIGN_IN_FAILED: Final = "sign_in_failed"
#: A sign-in or a change of the password was refused after too many failures.
SIGN_IN_REFUSED: Final = "sign_in_refused"
#: A user registered.
USER_REGISTERED: Final = "user_registered"
