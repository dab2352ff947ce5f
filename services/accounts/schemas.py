"""Request and response models of accounts."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, SecretStr

from common.http.server.schemas import QueryModel, RequestModel, ResponseModel, UtcTime, utc
from services.accounts.models import ListedSession

Login = Annotated[
    str,
    Field(
        min_length=3,
        max_length=64,
        pattern=r"^[A-Za-z0-9._@+-]+$",
        description="letters, digits and `. _ @ + -`; compared without case",
        examples=["anna"],
    ),
]
Password = Annotated[SecretStr, Field(min_length=8, max_length=256)]


class Credentials(RequestModel):
    login: Login
    password: Password


class SignIn(RequestModel):
    """A password of the wrong length is wrong: the response does not depend on the rules for new passwords."""

    login: Login
    password: Annotated[SecretStr, Field(max_length=256)]


class SessionView(ResponseModel):
    """A new session. Its id is reported only here."""

    user_id: UUID = Field(alias="userID")
    session_id: str = Field(alias="sessionID", pattern="^[0-9A-F]{32}$", examples=["1AF3781BF6B94604B771AEA1D44FA63A"])
    expires_at: UtcTime


class MeView(ResponseModel):
    user_id: UUID = Field(alias="userID")
    login: str = Field(examples=["anna"])
    created_at: UtcTime


class ListedSessionView(ResponseModel):
    """An active session. Its ``id`` names it for ``DELETE /sessions/{id}`` and cannot be used to sign in."""

    id: UUID
    device: str | None = Field(default=None, description="browser and system at sign-in", examples=["Firefox on Linux"])
    created_at: UtcTime
    last_used_at: UtcTime
    expires_at: UtcTime
    current: bool = Field(description="whether this request was sent with it")

    @classmethod
    def of(cls, session: ListedSession) -> Self:
        return cls(
            id=session.session_key,
            device=session.device,
            created_at=utc(session.created_at),
            last_used_at=utc(session.last_used_at),
            expires_at=utc(session.expires_at),
            current=session.is_current,
        )


class SessionList(ResponseModel):
    sessions: list[ListedSessionView]


class SessionPath(QueryModel):
    id: UUID


class PasswordChange(RequestModel):
    old_password: Annotated[SecretStr, Field(min_length=1, max_length=256)]
    new_password: Password


class SessionVerification(RequestModel):
    """Internal: the SHA-256 of a session id, in lower-case hex."""

    session_hash: str = Field(pattern="^[0-9a-f]{64}$")


class VerifiedSessionView(ResponseModel):
    """Internal: the user of the session, and how long the gateway may cache it."""

    user_id: UUID = Field(alias="userID")
    cache_seconds: int = Field(ge=0)
