"""The response that a view returns."""

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from flask import Response as FlaskResponse
from pydantic import BaseModel

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

_STATUS_LINES: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
#: Responses without a body carry no ``Content-Length`` (RFC 9110, 8.6).
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT.value, HTTPStatus.NOT_MODIFIED.value})


@dataclass(slots=True)
class Response:
    """A status, a body and headers. There is no default ``Content-Type``."""

    status: int = 200
    body: bytes = b""
    headers: MutableMapping[str, str] = field(default_factory=dict)

    def as_flask(self) -> FlaskResponse:
        """Return the response in Flask's class."""
        response = FlaskResponse(self.body, self.status, dict(self.headers))
        if "Content-Type" not in self.headers:
            del response.headers["Content-Type"]
        return response

    def __call__(self, _environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Send the response as a WSGI application (PEP 3333)."""
        headers = list(self.headers.items())
        if self.status not in _WITHOUT_BODY:
            headers.append(("Content-Length", str(len(self.body))))
        start_response(_STATUS_LINES[self.status], headers)
        return [self.body]


def render(model: BaseModel, status: int = 200) -> Response:
    """Return the model as a JSON response; fields that are None are omitted."""
    body = model.model_dump_json(by_alias=True, exclude_none=True).encode()
    return Response(status, body, {"Content-Type": "application/json"})
