"""The error codes of the public API: what each means and whether a client should retry.

The OpenAPI document lists the codes of every response; a test compares this catalog with the services' error classes.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A code with an example of its message, its meaning, and what the client does next."""

    message: str
    meaning: str
    retry: str


_NOT_UNCHANGED: Final = "Do not retry unchanged."
_FINAL: Final = "Do not retry: the response will not change."
_AFTER: Final = "Retry after the time in `Retry-After`."
_SAME_KEY: Final = "Retry with the same `Idempotency-Key`, which never acts twice."

ERROR_CODES: Final[dict[str, ErrorCode]] = {
    # Any request
    "invalid_request": ErrorCode(
        "the request is not valid",
        "A field or a parameter is missing, unknown or out of range; `errors` names it.",
        _NOT_UNCHANGED,
    ),
    "bad_request": ErrorCode(
        "bad request", "The request is not valid HTTP, or its body is incomplete.", _NOT_UNCHANGED
    ),
    "not_found": ErrorCode("there is nothing at this address", "The path is unknown.", _FINAL),
    "method_not_allowed": ErrorCode(
        "method not allowed", "The path exists, but not with this method; `Allow` lists its methods.", _FINAL
    ),
    "length_required": ErrorCode(
        "length required",
        "The request has a body without a `Content-Length`, for example a chunked one.",
        _NOT_UNCHANGED,
    ),
    "request_entity_too_large": ErrorCode("request entity too large", "The body is over 64 KiB.", _NOT_UNCHANGED),
    "too_many_requests": ErrorCode(
        "too many requests: slow down and try again later", "The rate limit is reached. Nothing was done.", _AFTER
    ),
    "internal_error": ErrorCode(
        "something went wrong on our side",
        "An unexpected failure. Whether the request had an effect is unknown.",
        f"{_SAME_KEY} Report a repeated failure with its `X-Request-ID`.",
    ),
    "temporarily_unavailable": ErrorCode(
        "the service is busy or a part of it is down: try again in a moment",
        "A part of the system is down or overloaded. Whether the request had an effect is unknown.",
        f"{_AFTER} {_SAME_KEY}",
    ),
    # Idempotency keys
    "request_in_progress": ErrorCode(
        "the first request with this Idempotency-Key is still running: repeat it shortly",
        "The first request with this key has not ended.",
        "Retry with the same key after a second.",
    ),
    "idempotency_key_reused": ErrorCode(
        "this Idempotency-Key was used with another request: take a new key for a new request",
        "The key belongs to a request with another body.",
        "Do not retry: use a new key for a new request.",
    ),
    # Accounts
    "login_taken": ErrorCode("this login is taken", "Another user has this login.", "Retry with another login."),
    "wrong_credentials": ErrorCode(
        "wrong login or password",
        "The login is unknown or the password is wrong. Both get this response.",
        "Retry only with what the user enters anew.",
    ),
    "weak_password": ErrorCode(
        "this password is easy to guess: use several words that do not belong together",
        "The new password is rated below the installation's minimum strength.",
        "Retry with another password.",
    ),
    "wrong_password": ErrorCode(
        "the old password is wrong", "The old password is wrong.", "Retry only with what the user enters anew."
    ),
    "session_not_found": ErrorCode(
        "you have no session with this id",
        "The id is unknown, the session has ended, or it belongs to another user.",
        _FINAL,
    ),
    # Checks
    "insufficient_funds": ErrorCode(
        "not enough money on the balance",
        "The amount is larger than the balance. Nothing is held.",
        "Retry with a new key after a top-up.",
    ),
    "check_not_found": ErrorCode(
        "there is no check with this number and code",
        "The number is unknown, the code is wrong, or the check belongs to another user. All get this response.",
        "Retry only with what the user enters anew: attempts are counted.",
    ),
    "check_used": ErrorCode(
        "this check has been accepted already", "The check was accepted, by this or another user.", _FINAL
    ),
    "check_expired": ErrorCode(
        "this check has expired: its money went back to its creator", "The check is past its expiration.", _FINAL
    ),
    "check_cancelled": ErrorCode(
        "this check was cancelled by its creator", "The creator has cancelled the check.", _FINAL
    ),
    "check_frozen": ErrorCode(
        "too many wrong codes: this check is frozen for a while",
        "Too many wrong codes were entered for this check. A new code from its creator ends the freeze.",
        f"{_AFTER} Without that header, only a new code helps.",
    ),
    "too_many_attempts": ErrorCode(
        "too many failed attempts: try again later",
        "This user, this guest's address, or the users of this address, have entered too many wrong codes.",
        _AFTER,
    ),
    # Top-ups
    "return_url_not_allowed": ErrorCode(
        "this returnUrl is not on the list of allowed origins",
        "The origin of `returnUrl` is not in `FASTCHECK_RETURN_ORIGINS`.",
        _NOT_UNCHANGED,
    ),
    "topup_not_found": ErrorCode("no such top-up", "The id is unknown, or the top-up belongs to another user.", _FINAL),
    "topup_over": ErrorCode(
        "this top-up expired before it could be started: create another one with a new Idempotency-Key",
        "The top-up of this key ended before its payment page was known. Nothing was charged.",
        "Retry with a new key.",
    ),
    "too_many_pending_topups": ErrorCode(
        "too many unpaid top-ups: pay one of them, or wait until one expires",
        "The user has as many unpaid top-ups as `FASTCHECK_TOPUPS_PENDING_PER_USER` allows.",
        "Retry after one of them is paid or has expired.",
    ),
    "bank_unavailable": ErrorCode(
        "the bank cannot be reached: try again shortly with the same Idempotency-Key",
        "The bank did not respond in time.",
        _SAME_KEY,
    ),
    "bank_refused": ErrorCode(
        "the bank rejected this payment: nothing was charged",
        "The bank rejected the payment. Nothing was charged.",
        "Retry with a new key.",
    ),
    # Webhooks
    "webhook_not_found": ErrorCode(
        "you have no webhook with this id", "The id is unknown, or the webhook belongs to another user.", _FINAL
    ),
    "delivery_not_found": ErrorCode(
        "this webhook has no delivery with this id", "The id is unknown, or the delivery is older than 30 days.", _FINAL
    ),
    "too_many_webhooks": ErrorCode(
        "you have the maximum number of webhooks: delete one first", "The user has five webhooks.", _NOT_UNCHANGED
    ),
    "webhook_url_not_allowed": ErrorCode(
        "webhooks cannot be delivered to this URL",
        "The URL is not https, or its host is unknown or has a private address; `errors` says which.",
        _NOT_UNCHANGED,
    ),
    # Banks
    "bad_signature": ErrorCode(
        "this notification is not from the bank", "The signature is wrong. Nothing changed.", _FINAL
    ),
    "notification_refused": ErrorCode(
        "this notification contradicts the stored payment",
        "Amount, currency, terminal or order differ from the stored payment. Nothing was credited.",
        _FINAL,
    ),
}

#: Codes of services' internal and operators' routes, which no client of the public API receives.
INTERNAL_CODES: Final = frozenset(
    {"forbidden", "not_authorized", "session_unknown", "transfer_conflict", "refund_not_possible"}
)
