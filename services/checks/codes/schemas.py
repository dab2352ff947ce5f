"""Request models of the codes."""

from pydantic import Field

from common.http.server.schemas import QueryModel


class QrQuery(QueryModel):
    with_code: bool = Field(default=False, description="include the code in the fragment of the link")
