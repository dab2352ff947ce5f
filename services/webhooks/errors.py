"""Business failures of webhooks."""

from common.core.errors import BusinessError


class WebhookNotFound(BusinessError):
    """The id is unknown, or the webhook belongs to another user. The caller cannot tell which."""

    status = 404
    code = "webhook_not_found"
    message = "you have no webhook with this id"


class DeliveryNotFound(BusinessError):
    """The webhook has no delivery with this id, or it is past its retention."""

    status = 404
    code = "delivery_not_found"
    message = "this webhook has no delivery with this id"


class TooManyWebhooks(BusinessError):
    """The user has the maximum number of webhooks."""

    status = 409
    code = "too_many_webhooks"
    message = "you have the maximum number of webhooks: delete one first"


class WebhookUrlNotAllowed(BusinessError):
    """The URL is not one that webhooks may be delivered to; see ``addresses``."""

    status = 400
    code = "webhook_url_not_allowed"
    message = "webhooks cannot be delivered to this URL"
