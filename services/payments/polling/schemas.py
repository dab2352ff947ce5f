"""Response model of an operator's poll."""

from common.http.server.schemas import ResponseModel


class AskedView(ResponseModel):
    """What the bank said when it was asked now."""

    answer: str
