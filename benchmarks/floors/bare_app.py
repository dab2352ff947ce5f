"""Flask with one SELECT and nothing else: no session, no gateway, no log line. Once with each of two drivers."""

import os
from queue import LifoQueue
from typing import Any

import psycopg2
from flask import Flask, Response
from sqlalchemy import create_engine, text

_CONNECTIONS = 16
_QUERY = "SELECT balance FROM floor_accounts WHERE account_id = "


def create_app() -> Flask:
    """Reads ``BARE_DATABASE_URL``, whose database has the table ``floor_accounts``."""
    url = os.environ["BARE_DATABASE_URL"]
    idle: LifoQueue[Any] = LifoQueue()
    for _ in range(_CONNECTIONS):
        idle.put(None)
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg2://", 1), pool_size=_CONNECTIONS, max_overflow=0
    )
    query = text(_QUERY + ":account_id")
    app = Flask(__name__)

    @app.get("/readyz")
    def readyz() -> str:
        return "ok"

    @app.get("/raw")
    def raw() -> Response:
        """psycopg2 in autocommit and a list of connections: as little as can be."""
        connection = idle.get()
        try:
            if connection is None:
                connection = psycopg2.connect(url)
                connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(_QUERY + "%s", (1,))
                return _answer(cursor.fetchone()[0])
        finally:
            idle.put(connection)

    @app.get("/sqlalchemy")
    def sqlalchemy() -> Response:
        """SQLAlchemy as its manual shows it."""
        with engine.connect() as connection:
            return _answer(connection.execute(query, {"account_id": 1}).scalar_one())

    return app


def _answer(balance: int) -> Response:
    return Response(f'{{"balance":{balance},"currency":"RUB"}}', mimetype="application/json")
