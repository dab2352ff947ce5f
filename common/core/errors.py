"""Business failures, which the public API reports. Any other exception is a bug and becomes a 500."""

from collections.abc import Mapping
from typing import ClassVar


class BusinessError(Exception):
    """The base of all business failures, one class each; ``message`` is for a person, ``code`` for a program."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "invalid_request"
    message: ClassVar[str] = "the request is not valid"

    def __init__(
        self,
        message: str | None = None,
        *,
        errors: Mapping[str, str] | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        self.text = message or self.message
        self.errors = dict(errors or {})
        self.retry_after_seconds = retry_after_seconds
        #: True if the error is a stored response replayed for an idempotency key.
        self.replayed = False
        super().__init__(self.text)

    def body(self) -> dict[str, object]:
        """Return the JSON body of the error response."""
        body: dict[str, object] = {"message": self.text, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        return body


class InvalidRequest(BusinessError):
    """A field is missing, unknown or out of range; ``errors`` names it."""


class NotAuthorized(BusinessError):
    """No session, or one that is unknown, expired or ended. The public contract fixes the body exactly."""

    status = 401
    code = "not_authorized"
    message = "not authorized"

    def body(self) -> dict[str, object]:
        return {"message": self.message}


class Forbidden(BusinessError):
    """The caller is authenticated but may not use the route."""

    status = 403
    code = "forbidden"
    message = "this caller may not use this route"


class NotFound(BusinessError):
    status = 404
    code = "not_found"
    message = "there is nothing at this address"


class TooManyRequests(BusinessError):
    status = 429
    code = "too_many_requests"
    message = "too many requests: slow down and try again later"


class ServiceUnavailable(BusinessError):
    """A dependency is unavailable or overloaded. Nothing was decided; the caller may retry."""

    status = 503
    code = "temporarily_unavailable"
    message = "the service is busy or a part of it is down: try again in a moment"

    def __init__(self, message: str | None = None, *, retry_after_seconds: int = 1) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
