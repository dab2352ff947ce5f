"""The public routes of webhooks. The gateway forwards these paths unchanged."""

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from common.http.server.endpoint import user_only
from common.http.server.request import Request
from common.http.server.response import Response, render
from common.http.server.schemas import COMMON_RESPONSES, SESSION, ErrorBody, PageQuery
from services.webhooks import service
from services.webhooks.context import Context
from services.webhooks.schemas import (
    DeliveryList,
    DeliveryPath,
    DeliveryView,
    NewWebhook,
    WebhookList,
    WebhookPath,
    WebhookView,
    WebhookWithSecret,
)

public = APIBlueprint(
    "webhooks", __name__, abp_tags=[Tag(name="Webhooks")], abp_security=SESSION, abp_responses=COMMON_RESPONSES
)


@public.post("/webhooks", responses={"201": WebhookWithSecret, "409": ErrorBody})
@user_only
def create_webhook(context: Context, request: Request, body: NewWebhook) -> Response:
    """Register a URL for the events of the signed-in user."""
    types = None if body.events is None else tuple(dict.fromkeys(body.events))
    return render(WebhookWithSecret.of_new(service.create_webhook(context, request.user_id, body.url, types)), 201)


@public.get("/webhooks", responses={"200": WebhookList})
@user_only
def list_webhooks(context: Context, request: Request) -> Response:
    """List own webhooks."""
    found = service.list_webhooks(context, request.user_id)
    return render(WebhookList(webhooks=[WebhookView.of(webhook) for webhook in found]))


@public.delete("/webhooks/<id>", responses={"204": None, "404": ErrorBody})
@user_only
def delete_webhook(context: Context, request: Request, path: WebhookPath) -> Response:
    """Delete an own webhook with its deliveries."""
    service.delete_webhook(context, request.user_id, path.id)
    return Response(204)


@public.post("/webhooks/<id>/rotate", responses={"200": WebhookWithSecret, "404": ErrorBody})
@user_only
def rotate_secret(context: Context, request: Request, path: WebhookPath) -> Response:
    """Replace the signing secret of an own webhook."""
    return render(WebhookWithSecret.of_new(service.rotate_secret(context, request.user_id, path.id)))


@public.get("/webhooks/<id>/deliveries", responses={"200": DeliveryList, "404": ErrorBody})
@user_only
def list_deliveries(context: Context, request: Request, path: WebhookPath, query: PageQuery) -> Response:
    """List the deliveries of an own webhook, newest first."""
    page = service.list_deliveries(context, request.user_id, path.id, query.limit, query.cursor)
    return render(DeliveryList(deliveries=[DeliveryView.of(item) for item in page.items], next_cursor=page.next_cursor))


@public.post("/webhooks/<id>/deliveries/<deliveryId>/replay", responses={"202": DeliveryView, "404": ErrorBody})
@user_only
def replay_delivery(context: Context, request: Request, path: DeliveryPath) -> Response:
    """Send a delivery of an own webhook again."""
    return render(DeliveryView.of(service.replay(context, request.user_id, path.id, path.delivery_id)), 202)
