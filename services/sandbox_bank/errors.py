"""What the bank refuses. Each protocol has its own way to say so."""

from common.core.errors import BusinessError, NotAuthorized


class PaymentUnknown(BusinessError):
    status = 404
    code = "payment_unknown"
    message = "the bank knows no such payment"


class OrderTaken(BusinessError):
    status = 409
    code = "order_taken"
    message = "there is a payment for this order already"


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
    message = "more than is left of the payment"


class NotTheOperator(NotAuthorized):
    """The switches for misbehaviour are opened with the terminal's key and password."""


class OutOfOrder(BusinessError):
    """The fault "answers 500", asked for on purpose."""

    status = 500
    code = "internal_error"
    message = "the sandbox bank was asked to fail here"
