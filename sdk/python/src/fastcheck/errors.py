"""Errors that the API reports."""

from typing import Any, TypeVar

from fastcheck.generated.models import ErrorBody
from fastcheck.generated.types import Response, Unset

T = TypeVar("T")


class FastCheckError(Exception):
    """The API rejected a request. ``code`` is for programs, ``message`` for people; ``request_id`` is for support.

    ``code`` is None for status 401: the session is missing, unknown, expired or ended.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        errors: dict[str, str] | None = None,
        request_id: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(f"{status} {code or ''}: {message}".replace(" :", ":"))
        self.status = status
        self.message = message
        self.code = code
        self.errors = errors or {}
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds


def expect(response: Response[Any], model: type[T]) -> T:
    """Return the content of a successful response; raise FastCheckError for any other."""
    if response.status_code < 300 and isinstance(response.parsed, model):
        return response.parsed
    raise _error_of(response)


def expect_nothing(response: Response[Any]) -> None:
    """Raise FastCheckError unless the response is a success without content."""
    if response.status_code >= 300:
        raise _error_of(response)


def _error_of(response: Response[Any]) -> FastCheckError:
    body = response.parsed if isinstance(response.parsed, ErrorBody) else ErrorBody("unexpected response")
    retry_after = response.headers.get("Retry-After", "")
    return FastCheckError(
        int(response.status_code),
        body.message,
        code=None if isinstance(body.code, Unset) else body.code,
        errors=None if isinstance(body.errors, Unset) else dict(body.errors.additional_properties),
        request_id=response.headers.get("X-Request-ID"),
        retry_after_seconds=int(retry_after) if retry_after.isdigit() else None,
    )
