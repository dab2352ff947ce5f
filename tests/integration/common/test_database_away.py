"""An unreachable database: SQLAlchemy's error in the service, 503 with Retry-After for the client."""

import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from common.core.settings import DatabaseSettings, Settings
from common.db.engine import Database
from common.db.errors import is_transient
from common.http.server.app import create_service
from common.http.server.endpoint import unauthenticated

NOWHERE = SecretStr("postgresql+psycopg2://user:password@127.0.0.1:1/database")


@pytest.fixture
def away() -> Database:
    return Database(NOWHERE.get_secret_value(), settings=DatabaseSettings(), application_name="test")


def test_failed_connection_raises_a_transient_operational_error(away: Database) -> None:
    for opened in (away.autocommit, away.transaction):
        with pytest.raises(OperationalError) as failure, opened():
            pass
        assert is_transient(failure.value)


def test_request_during_an_outage_gets_503_with_retry_after(away: Database) -> None:
    app = create_service("test", Settings(), None, ready={})

    @app.get("/ask")
    @unauthenticated
    def ask() -> str:
        away.ping()
        return "never"

    response = app.test_client().get("/ask")
    assert (response.status_code, response.get_json()["code"]) == (503, "temporarily_unavailable")
    assert response.headers["Retry-After"]
