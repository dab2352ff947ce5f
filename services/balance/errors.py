"""Business failures of the ledger."""

from common.core.errors import BusinessError


class InsufficientFunds(BusinessError):
    """The user has less than the amount. Final for this hold: the same hold will be refused for ever."""

    status = 409
    code = "insufficient_funds"
    message = "not enough money on the balance"


class TransferConflict(BusinessError):
    """The id is taken by a transfer with other particulars, or the hold is closed in another way, or was never made.

    This is a broken promise between services and never the fault of a user.
    """

    status = 409
    code = "transfer_conflict"
    message = "this transfer contradicts one that is already in the books"


class CurrencyNotAccepted(BusinessError):
    status = 400
    code = "invalid_request"
    message = "this currency is not accepted here"


class MomentInFuture(BusinessError):
    status = 400
    code = "invalid_request"
    message = "the balance of a moment that has not come yet is not known"
