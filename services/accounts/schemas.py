"""Request and response models of accounts."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, SecretStr

from common.http.server.schemas import RequestModel, ResponseModel, UtcTime

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
