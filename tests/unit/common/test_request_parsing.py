"""Bodies of requests: a name that is given twice, and lengths that are not declared."""

import io
from typing import Any

import pytest
from flask import Flask
from pydantic import BaseModel
from werkzeug.exceptions import ClientDisconnected, LengthRequired, RequestEntityTooLarge

from common.core.errors import InvalidRequest
from common.http.server.request import MAX_BODY_BYTES, Request
from common.http.server.request_body import read_body
from common.http.server.request_parsing import parse


class Inner(BaseModel):
    c: int


class Body(BaseModel):
    a: int
    b: list[Inner] = []


def request(body: bytes, **environ: Any) -> Request:
    values = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), **environ}
    return Request(Flask("test"), values, "request-1", 0.0)


def parsed(body: bytes) -> dict[str, Any]:
    return parse({"body": Body}, request(body), {})


@pytest.mark.parametrize(
    ("body", "name"),
    [(b'{"a":1,"a":1}', "a"), (b'{"a":1,"\\u0061":2}', "a"), (b'{"a":1,"b":[{"c":1},{"c":1,"c":2}]}', "c")],
)
def test_name_given_twice_is_rejected_at_every_depth(body: bytes, name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parsed(body)
    assert refusal.value.errors == {name: "is given more than once"}


def test_same_name_in_different_objects_is_accepted() -> None:
    assert parsed(b'{"a":1,"b":[{"c":1},{"c":2}]}')["body"] == Body(a=1, b=[Inner(c=1), Inner(c=2)])


def test_body_without_a_declared_length_is_rejected() -> None:
    with pytest.raises(LengthRequired):
        read_body(request(b"{}", HTTP_TRANSFER_ENCODING="chunked"))
    assert read_body(request(b"", CONTENT_LENGTH="")) == b""


def test_body_shorter_than_its_declared_length_is_rejected() -> None:
    with pytest.raises(ClientDisconnected):
        read_body(request(b"{}", CONTENT_LENGTH="3"))


def test_body_above_the_limit_is_rejected_before_it_is_read() -> None:
    with pytest.raises(RequestEntityTooLarge):
        read_body(request(b"{}", CONTENT_LENGTH=str(MAX_BODY_BYTES + 1)))
