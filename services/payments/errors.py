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
    message = "no such top-up"


class TooManyPendingTopUps(BusinessError):
    """The user has as many unpaid top-ups as are allowed: each costs calls to the bank until it ends."""

    status = 409
    code = "too_many_pending_topups"
    message = "too many unpaid top-ups: pay one of them, or wait until one expires"


class TopUpUnavailable(BusinessError):
    """The bank is unreachable or the outcome is unknown. A retry with the same key resolves it."""

    status = 502
    code = "bank_unavailable"
    message = "the bank cannot be reached: try again shortly with the same Idempotency-Key"


class TopUpRefusedByBank(BusinessError):
    """The bank rejected the payment. This is final: the client needs a new top-up."""

    status = 502
    code = "bank_refused"
    message = "the bank rejected this payment: nothing was charged"


class TopUpNeverStarted(BusinessError):
    """The key belongs to a top-up that ended before its payment page was known. This is final."""

    status = 409
    code = "topup_over"
    message = "this top-up expired before it could be started: create another one with a new Idempotency-Key"


class RefundNotPossible(BusinessError):
    """The top-up is not confirmed, another refund is in progress, or the amount exceeds the remainder."""

    status = 409
    code = "refund_not_possible"
    message = "this top-up cannot be refunded"


class NotificationForged(BusinessError):
    status = 403
    code = "bad_signature"
    message = "this notification is not from the bank"


class NotificationRefused(BusinessError):
    """The notification is authentic but contradicts the stored payment. Recorded for operators, without effect."""

    status = 409
    code = "notification_refused"
    message = "this notification contradicts the stored payment"
