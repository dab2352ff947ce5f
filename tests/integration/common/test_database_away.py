"""A database that lets nobody in: whoever asks is told so in SQLAlchemy's words, and a client is told to come back."""

import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from common.core.settings import DatabaseSettings, Settings
from common.db.engine import Database
from common.db.errors import is_transient
from common.http.server.app import create_service
from common.http.server.endpoint import unauthenticated

NOWHERE = SecretStr("postgresql+psycopg2://nobody:nothing@127.0.0.1:1/nowhere")


@pytest.fixture
def away() -> Database:
    return Database(NOWHERE.get_secret_value(), settings=DatabaseSettings(), application_name="test")


def test_a_connection_that_is_not_had_is_an_error_of_sqlalchemy(away: Database) -> None:
    for opened in (away.autocommit, away.transaction):
        with pytest.raises(OperationalError) as failure, opened():
            pass
        assert is_transient(failure.value)


def test_a_request_meanwhile_is_told_to_come_back(away: Database) -> None:
    app = create_service("test", Settings(), None, ready={})

    @app.get("/ask")
    @unauthenticated
    def ask() -> str:
        away.ping()
        return "never"

    answer = app.test_client().get("/ask")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"]
