"""Request and response models of webhooks."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from common.http.server.schemas import QueryModel, RequestModel, ResponseModel, UtcTime, utc
from services.webhooks.addresses import MAX_URL_LENGTH
from services.webhooks.models import Delivery, DeliveryStatus, EventType, Webhook, WebhookStatus, WithSecret, public_id


class NewWebhook(RequestModel):
    """A URL that shall receive events."""

    url: Annotated[str, Field(min_length=1, max_length=MAX_URL_LENGTH)] = Field(
        description="an https URL of a public address", examples=["https://example.com/webhooks"]
    )
    events: list[EventType] | None = Field(
        default=None, min_length=1, max_length=len(EventType), strict=False, description="all types by default"
    )


class WebhookPath(QueryModel):
    id: UUID


class DeliveryPath(QueryModel):
    id: UUID
    delivery_id: UUID = Field(alias="deliveryId")


class WebhookView(ResponseModel):
    """A webhook of the user. A disabled one gets no events; ``notice`` says why."""

    id: UUID
    url: str = Field(examples=["https://example.com/webhooks"])
    events: list[EventType]
    status: WebhookStatus
    created_at: UtcTime
    disabled_at: UtcTime | None = None
    notice: str | None = None

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        return cls(
            id=webhook.webhook_id,
            url=webhook.url,
            events=list(webhook.event_types or EventType),
            status=webhook.status,
            created_at=utc(webhook.created_at),
            disabled_at=None if webhook.disabled_at is None else utc(webhook.disabled_at),
            notice=webhook.notice,
        )


class WebhookWithSecret(WebhookView):
    """A webhook with its new signing secret, which is shown only here."""

    secret: str = Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])
    previous_secret_until: UtcTime | None = Field(
        default=None, description="until then deliveries are signed with the previous secret too"
    )

    @classmethod
    def of_new(cls, made: WithSecret) -> Self:
        until = made.webhook.previous_secret_until
        return cls(
            **WebhookView.of(made.webhook).model_dump(),
            secret=made.secret,
            previous_secret_until=None if until is None else utc(until),
        )


class WebhookList(ResponseModel):
    webhooks: list[WebhookView]


class DeliveryView(ResponseModel):
    """A message on its way to a webhook. ``error`` and ``responseStatus`` are those of the last attempt."""

    id: UUID
    message_id: str = Field(alias="messageID", description="the header `webhook-id` of every attempt")
    event: EventType
    status: DeliveryStatus
    attempts: int = Field(ge=0)
    created_at: UtcTime
    last_attempt_at: UtcTime | None = None
    next_attempt_at: UtcTime | None = None
    delivered_at: UtcTime | None = None
    response_status: int | None = None
    error: str | None = None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        times = {
            name: None if (at := getattr(delivery, name)) is None else utc(at)
            for name in ("last_attempt_at", "next_attempt_at", "delivered_at")
        }
        return cls(
            id=delivery.delivery_id,
            message_id=public_id(delivery.message_id),
            event=delivery.event_type,
            status=delivery.status,
            attempts=delivery.attempts,
            created_at=utc(delivery.created_at),
            response_status=delivery.response_status,
            error=delivery.error,
            **times,
        )


class DeliveryList(ResponseModel):
    deliveries: list[DeliveryView]
    next_cursor: str | None = None
