"""Path of a followed user."""

from uuid import UUID

from pydantic import Field

from common.http.server.schemas import QueryModel


class FollowedUserPath(QueryModel):
    """The user to follow."""

    user_id: UUID = Field(alias="userID")
