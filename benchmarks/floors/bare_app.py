"""Flask with one statement and nothing else: no session, no gateway, no log line. Once with each of two drivers."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from queue import LifoQueue
from typing import Any, Final

import psycopg2
from flask import Flask, Response
from sqlalchemy import create_engine, text

from benchmarks.floors.sql_transfer import ACCOUNTS, TRANSFER

_CONNECTIONS: Final = 16
_QUERY: Final = "SELECT balance FROM floor_balances WHERE account_id = "


def create_app() -> Flask:
    """Return the application; it reads ``BARE_DATABASE_URL``, whose database has the tables of ``sql_transfer``."""
    url = os.environ["BARE_DATABASE_URL"]
    app = Flask(__name__)
    _add_psycopg2(app, url)
    _add_sqlalchemy(app, url)

    @app.get("/readyz")
    def readyz() -> str:
        return "ok"

    return app


def _add_psycopg2(app: Flask, url: str) -> None:
    """Add routes on psycopg2 in autocommit and a list of connections, which is the least that Python can do."""
    idle: LifoQueue[Any] = LifoQueue()
    for _ in range(_CONNECTIONS):
        idle.put(None)

    @contextmanager
    def cursor() -> Iterator[Any]:
        connection = idle.get()
        try:
            if connection is None:
                connection = psycopg2.connect(url)
                connection.autocommit = True
            with connection.cursor() as opened:
                yield opened
        finally:
            idle.put(connection)

    @app.get("/psycopg2/read")
    def read_with_psycopg2() -> Response:
        with cursor() as opened:
            opened.execute(_QUERY + "%s", (_account(),))
            return _response(opened.fetchone()[0])

    @app.post("/psycopg2/transfer")
    def transfer_with_psycopg2() -> Response:
        with cursor() as opened:
            opened.execute(TRANSFER.replace(":account", "%(account)s"), {"account": _account()})
            return _response(opened.rowcount)


def _add_sqlalchemy(app: Flask, url: str) -> None:
    """Add routes on SQLAlchemy as its manual shows it."""
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg2://", 1), pool_size=_CONNECTIONS, max_overflow=0
    )
    query, transfer = text(_QUERY + ":account"), text(TRANSFER)

    @app.get("/sqlalchemy/read")
    def read_with_sqlalchemy() -> Response:
        with engine.connect() as connection:
            return _response(connection.execute(query, {"account": _account()}).scalar_one())

    @app.post("/sqlalchemy/transfer")
    def transfer_with_sqlalchemy() -> Response:
        with engine.begin() as connection:
            return _response(connection.execute(transfer, {"account": _account()}).rowcount)


def _account() -> int:
    return random.randrange(1, ACCOUNTS + 1)


def _response(number: int) -> Response:
    return Response(f'{{"balance":{number},"currency":"RUB"}}', mimetype="application/json")
