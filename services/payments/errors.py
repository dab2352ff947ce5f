"""Business failures of top-ups."""

from common.core.errors import BusinessError


class ReturnUrlNotAllowed(BusinessError):
    status = 400
    code = "return_url_not_allowed"
    message = "this returnUrl is not on the list of allowed origins"


class CurrencyNotAccepted(BusinessError):
    status = 400
    code = "invalid_request"
    message = "this currency is not accepted for top-ups"


class TopUpNotFound(BusinessError):
    status = 404
    code = "topup_not_found"
    message = "there is no such top-up of yours"


class TopUpUnavailable(BusinessError):
    """The bank was not reached, or what it did is not known. The same request with the same key finds out."""

    status = 502
    code = "bank_unavailable"
    message = "the bank cannot be reached: try again in a moment, with the same Idempotency-Key"


class TopUpRefusedByBank(BusinessError):
    """The bank answered, and does not want this payment. A new top-up is a new request."""

    status = 502
    code = "bank_refused"
    message = "the bank does not take this payment: nothing was charged"


class TopUpNeverStarted(BusinessError):
    """The key belongs to a top-up that was over before its payment page was known: final, asking on is no use."""

    status = 409
    code = "topup_over"
    message = "this top-up could not be started in time and is over: make a new one with a new Idempotency-Key"


class RefundNotPossible(BusinessError):
    """Not confirmed, under way, or more than is left."""

    status = 409
    code = "refund_not_possible"
    message = "this top-up cannot be refunded"


class NotificationForged(BusinessError):
    status = 403
    code = "bad_signature"
    message = "this notification does not come from the bank"


class NotificationRefused(BusinessError):
    """Genuine, and at odds with what we know: recorded for the operator, not acted on."""

    status = 409
    code = "notification_refused"
    message = "this notification does not fit what we know of the payment"
