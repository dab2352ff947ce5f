"""Flask with one SELECT and nothing else: no session, no gateway, no log line."""

import os
from queue import LifoQueue
from typing import Any

import psycopg2
from flask import Flask, Response

_CONNECTIONS = 16


def create_app() -> Flask:
    """Reads ``BARE_DATABASE_URL``, whose database has the table ``floor_accounts``."""
    url = os.environ["BARE_DATABASE_URL"]
    idle: LifoQueue[Any] = LifoQueue()
    for _ in range(_CONNECTIONS):
        idle.put(None)
    app = Flask(__name__)

    @app.get("/balance")
    def balance() -> Response:
        connection = idle.get()
        try:
            if connection is None:
                connection = psycopg2.connect(url)
                connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT balance FROM floor_accounts WHERE account_id = %s", (1,))
                found = cursor.fetchone()[0]
        finally:
            idle.put(connection)
        return Response(f'{{"balance":{found},"currency":"RUB"}}', mimetype="application/json")

    return app
