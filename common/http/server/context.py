"""What a web process is made of (database, clock, clients), handed to its routes."""

from typing import TypeVar, cast

from flask import Flask

from common.http.server.exchange import current

T = TypeVar("T")


def provide(app: Flask, context: object) -> None:
    """Attach a service's context to its application."""
    app.extensions["context"] = context


def context_of(kind: type[T]) -> T:  # noqa: ARG001  it is there for its type
    """The context of the application that serves the current request; ``kind`` is the service's own class."""
    return cast("T", current().app.extensions["context"])
