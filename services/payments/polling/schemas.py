"""Response model of an operator's poll."""

from common.http.server.schemas import ResponseModel


class PollView(ResponseModel):
    """What the bank notification when it was asked now."""

    answer: str
