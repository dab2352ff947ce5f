"""YooKassa's API v3: payments and refunds, HTTP Basic, idempotence keys."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast
from uuid import uuid4

from flask import Blueprint, Response, current_app, request

from common.core.errors import BusinessError
from common.http.server.endpoint import unauthenticated
from services.sandbox_bank import service
from services.sandbox_bank.context import Context
from services.sandbox_bank.errors import AmountTooLarge, KeyReused, PaymentUnknown, WrongState
from services.sandbox_bank.models import Payment
from services.sandbox_bank.protocols.yookassa import NAME, YooKassaWire, refund_object
from services.sandbox_bank.repository import NewPayment

api = Blueprint("yookassa", __name__, url_prefix="/v3")

LIFETIME: Final = timedelta(hours=1)
MAX_AMOUNT_MINOR: Final = 10**12
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


class YooKassaError(Exception):
    """A response of ``type`` error."""

    def __init__(self, status: int, code: str, description: str, parameter: str | None = None) -> None:
        self.status, self.code, self.description, self.parameter = status, code, description, parameter
        super().__init__(f"{status} {code}")


#: Business failures in the format of this protocol.
REFUSALS: Final[Mapping[type[BusinessError], YooKassaError]] = {
    PaymentUnknown: YooKassaError(404, "not_found", "Incorrect payment_id. Payment doesn't exist or access denied."),
    KeyReused: YooKassaError(400, "invalid_request", "Idempotence key duplicated", "Idempotence-Key"),
    WrongState: YooKassaError(400, "invalid_request", "Payment is in a status that does not allow this"),
    AmountTooLarge: YooKassaError(400, "invalid_request", "Refund amount exceeds payment amount", "amount"),
}


@api.errorhandler(YooKassaError)
def _error(error: YooKassaError) -> Response:
    body = {"type": "error", "id": str(uuid4()), "code": error.code, "description": error.description}
    if error.parameter:
        body["parameter"] = error.parameter
    return _json(body, error.status)


def _refusal(error: BusinessError) -> Response:
    return _error(REFUSALS[type(error)])


for _refused in REFUSALS:
    api.register_error_handler(_refused, _refusal)


@api.before_request
def _authenticate() -> None:
    settings = current_app.extensions["context"].settings
    given = request.authorization
    pair = (given.username or "", given.password or "") if given is not None and given.type == "basic" else ("", "")
    wanted = (settings.yookassa_shop_id, settings.yookassa_secret_key.get_secret_value())
    same = [hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(pair, wanted, strict=True)]
    if not all(wanted) or not all(same):
        raise YooKassaError(401, "invalid_credentials", "Error in shopId or secret key. Check their validity.")


@api.get("/me")
@unauthenticated
def get_me(context: Context) -> Response:
    """Return the shop."""
    shop_id = context.settings.yookassa_shop_id
    return _json({"account_id": shop_id, "status": "enabled", "test": True, "payment_methods": ["bank_card"]})


@api.post("/payments")
@unauthenticated
def create_payment(context: Context) -> Response:
    """Create a payment that is confirmed at its page."""
    fields = _fields()
    amount_minor, currency = _amount(fields)
    confirmation = fields.get("confirmation")
    if not isinstance(confirmation, dict) or confirmation.get("type") != "redirect":
        raise YooKassaError(400, "invalid_request", "The sandbox confirms by redirect", "confirmation.type")
    if fields.get("capture") is not True:
        raise YooKassaError(400, "invalid_request", "The sandbox makes one-stage payments", "capture")
    return_url = str(confirmation.get("return_url", ""))
    if not return_url.startswith(("http://", "https://")):
        raise YooKassaError(400, "invalid_request", "Invalid return_url", "confirmation.return_url")
    metadata = fields.get("metadata") or {}
    order_id = metadata.get("order_id") if isinstance(metadata, dict) else None
    new = NewPayment(
        protocol=NAME,
        # From the shop's metadata, for the fault plan and the list of payments. It need not be unique.
        order_id=str(order_id)[:64] if order_id else None,
        amount_minor=amount_minor,
        currency=currency,
        description=str(fields.get("description") or "")[:128],
        notify_url=None,
        success_url=return_url,
        fail_url=return_url,
        expires_at=context.clock.now() + LIFETIME,
        public_id=str(uuid4()),
        idempotence_key=_idempotence_key(),
        request_hash=hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).digest(),
        details={"metadata": metadata},
    )
    payment = service.with_faults(context, NAME, new.order_id, lambda: service.create_payment(context, new))
    return _payment(payment)


@api.get("/payments/<payment_id>")
@unauthenticated
def get_payment(context: Context, payment_id: str) -> Response:
    return _payment(service.find_payment(context, NAME, payment_id))


@api.get("/payments")
@unauthenticated
def list_payments(context: Context) -> Response:
    """Return a page of the payments of a period."""
    limit = min(max(request.args.get("limit", 10, type=int), 1), 100)
    found = service.payments_between(
        context,
        NAME,
        _moment("created_at.gte", EPOCH),
        _moment("created_at.lt", datetime.now(UTC) + timedelta(days=1)),
        after_no=request.args.get("cursor", 0, type=int),
        limit=limit + 1,
    )
    body: dict[str, Any] = {"type": "list", "items": [_wire().payment_object(payment) for payment in found[:limit]]}
    if len(found) > limit:
        body["next_cursor"] = str(found[limit - 1].payment_no)
    return _json(body)


@api.post("/payments/<payment_id>/cancel")
@unauthenticated
def cancel_payment(context: Context, payment_id: str) -> Response:
    """Reject the cancellation: only a payment that waits for capture can be cancelled, and this bank has none."""
    service.find_payment(context, NAME, payment_id)
    _idempotence_key()
    raise WrongState


@api.post("/refunds")
@unauthenticated
def create_refund(context: Context) -> Response:
    """Refund a payment to the card."""
    fields = _fields()
    amount_minor, _ = _amount(fields)
    given = service.refund(
        context,
        NAME,
        str(fields.get("payment_id", "")),
        amount_minor=amount_minor,
        request_key=_idempotence_key(),
    )
    return _json(refund_object(given))


@api.get("/refunds/<refund_id>")
@unauthenticated
def get_refund(context: Context, refund_id: str) -> Response:
    return _json(refund_object(service.find_refund(context, NAME, refund_id)))


def _fields() -> dict[str, Any]:
    try:
        found = json.loads(request.get_data(cache=False))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise YooKassaError(400, "invalid_request", "The request body is not valid JSON")
    return found


def _amount(fields: dict[str, Any]) -> tuple[int, str]:
    amount = fields.get("amount")
    try:
        value = Decimal(str(amount["value"])).scaleb(2) if isinstance(amount, dict) else Decimal(0)
    except (KeyError, InvalidOperation):
        value = Decimal(0)
    if not isinstance(amount, dict) or value != value.to_integral_value() or not 0 < value <= MAX_AMOUNT_MINOR:
        raise YooKassaError(400, "invalid_request", "Incorrect payment amount", "amount.value")
    if amount.get("currency") not in ("RUB", "USD", "EUR"):
        raise YooKassaError(400, "invalid_request", "Unsupported currency", "amount.currency")
    return int(value), str(amount["currency"])


def _idempotence_key() -> str:
    key = request.headers.get("Idempotence-Key", "")
    if not 0 < len(key) <= 64:
        raise YooKassaError(400, "invalid_request", "Idempotence key is missing or too long", "Idempotence-Key")
    return key


def _moment(name: str, default: datetime) -> datetime:
    given = request.args.get(name)
    if given is None:
        return default
    try:
        return datetime.fromisoformat(given)
    except ValueError:
        raise YooKassaError(400, "invalid_request", "Incorrect timestamp", name) from None


def _wire() -> YooKassaWire:
    return cast("YooKassaWire", current_app.extensions["context"].wires[NAME])


def _payment(payment: Payment) -> Response:
    return _json(_wire().payment_object(payment))


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status=status, content_type="application/json")
