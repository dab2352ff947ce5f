"""Business failures of the sandbox bank. Each protocol renders them in its own format."""

from common.core.errors import BusinessError, NotAuthorized


class PaymentUnknown(BusinessError):
    status = 404
    code = "payment_unknown"
    message = "no such payment"


class OrderTaken(BusinessError):
    status = 409
    code = "order_taken"
    message = "a payment for this order exists"


class KeyReused(BusinessError):
    status = 400
    code = "key_reused"
    message = "the idempotence key belongs to another request"


class WrongState(BusinessError):
    status = 409
    code = "wrong_state"
    message = "the payment is not in a state that allows this"


class AmountTooLarge(BusinessError):
    status = 409
    code = "amount_too_large"
    message = "the amount exceeds the remainder of the payment"


class AdminOnly(NotAuthorized):
    """The fault controls need the terminal's key and password (HTTP Basic)."""


class RequestedFailure(BusinessError):
    """A server error that a fault has requested."""

    status = 500
    code = "internal_error"
    message = "a fault of the sandbox bank requested this error"
