"""Response model of an operator's poll."""

from common.http.server.schemas import ResponseModel


class PollView(ResponseModel):
    """The result of a poll: a verdict, or the status at the bank."""

    answer: str
