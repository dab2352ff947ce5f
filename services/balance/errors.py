"""Business failures of the ledger."""

from common.core.errors import BusinessError


class InsufficientFunds(BusinessError):
    """The user has less than the amount. Final for this hold: every repeat is refused too."""

    status = 409
    code = "insufficient_funds"
    message = "not enough money on the balance"


class TransferConflict(BusinessError):
    """The id belongs to a different transfer, or the hold was closed in another way or never made.

    A service has violated the protocol; a user cannot cause this.
    """

    status = 409
    code = "transfer_conflict"
    message = "this transfer contradicts one that is already in the books"


class CurrencyNotAccepted(BusinessError):
    status = 400
    code = "invalid_request"
    message = "this currency is not accepted here"


class TimeInFuture(BusinessError):
    status = 400
    code = "invalid_request"
    message = "the balance at a time in the future is not known"
