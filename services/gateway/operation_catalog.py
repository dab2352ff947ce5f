"""What the OpenAPI document says of each public operation beyond the services' own documents.

Each operation has a stable id, which generated clients use as a function name, a description, examples, and the error
codes of its responses. Codes that any request may get are added by ``documentation``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: ``{"409": ("insufficient_funds",)}``: status -> codes.
Codes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class OperationEntry:
    """The documentation of one operation. ``request`` and ``response`` are examples of JSON bodies.

    ``has_rate_limit`` says whether the gateway limits its rate, and so reports the limit.
    """

    operation_id: str
    description: str
    codes: Codes = field(default_factory=dict)
    request: Any = None
    response: Any = None
    has_rate_limit: bool = True


_SESSION: Final = {
    "userID": "0b6d7a54-4f0e-4f5e-9c1f-6a1d3c0c2a11",
    "sessionID": "1AF3781BF6B94604B771AEA1D44FA63A",
    "expiresAt": "2026-02-18T09:08:18Z",
}
_CREDENTIALS: Final = {"login": "anna", "password": "correct horse battery"}
_ACTIVE: Final = {
    "fastcheck": "1234-5678-0001",
    "amount": 15000,
    "currency": "RUB",
    "code": "5864",
    "note": "For dinner",
    "createdAt": "2026-01-19T09:08:18Z",
    "expiration": "2026-01-26T09:08:18Z",
    "status": "active",
}
_NUMBER_AND_CODE: Final = {"fastcheck": "1234-5678-0001", "code": "5864"}
_PREVIEWED: Final = {
    "fastcheck": "1234-5678-0001",
    "amount": 15000,
    "currency": "RUB",
    "expiration": "2026-01-26T09:08:18Z",
    "note": "For dinner",
    "status": "active",
}
_PENDING: Final = {
    "transactionID": "6f0cf5d8-0a55-4d0c-9d3e-3c4b8f0f7a11",
    "amount": 50000,
    "currency": "RUB",
    "status": "pending",
    "createdAt": "2026-01-19T09:08:18Z",
}
_CONFIRMED: Final = {**_PENDING, "status": "confirmed", "confirmedAt": "2026-01-19T09:10:02Z"}
_WEBHOOK: Final = {
    "id": "9b0c4d1e-52a7-4b7e-8d43-2f1f6f0a7c11",
    "url": "https://example.com/webhooks",
    "events": ["check.accepted", "topup.confirmed"],
    "status": "enabled",
    "createdAt": "2026-01-19T09:08:18Z",
}
_DELIVERY: Final = {
    "id": "5d7b2c1a-0f3e-4c55-9a53-0c8d6a1f2b77",
    "messageID": "msg_1f6a7c119b0c4d1e52a74b7e8d432f1f",
    "event": "check.accepted",
    "status": "delivered",
    "attempts": 1,
    "createdAt": "2026-01-19T09:08:18Z",
    "lastAttemptAt": "2026-01-19T09:08:19Z",
    "deliveredAt": "2026-01-19T09:08:19Z",
    "responseStatus": 204,
}

#: Why a creator cannot change a check that is not active.
_ENDED: Final = ("check_used", "check_expired", "check_cancelled")
#: The responses to a recipient who enters a number and a code.
_ATTEMPT: Final = {
    "404": ("check_not_found",),
    "409": ("check_used",),
    "410": ("check_expired", "check_cancelled"),
    "429": ("check_frozen", "too_many_attempts"),
}
_NOTIFICATION: Final = {"403": ("bad_signature",), "404": ("not_found",), "409": ("notification_refused",)}

_ACCOUNTS: Final = {
    ("post", "/register"): OperationEntry(
        "register",
        "Creates a user with this login and password, and a first session. Send the `sessionID` with every other call.",
        {"400": ("weak_password",), "409": ("login_taken",)},
        _CREDENTIALS,
        _SESSION,
    ),
    ("post", "/login"): OperationEntry(
        "logIn",
        "Starts a new session; others of the user stay active. An unknown login and a wrong password get the same "
        "response after the same time. After many failures a sign-in takes three seconds longer, except from a client "
        "that returns the cookie of an earlier sign-in of the user.",
        {"401": ("wrong_credentials",)},
        _CREDENTIALS,
        _SESSION,
    ),
    ("post", "/logout"): OperationEntry("logOut", "Ends the session of this request. No service accepts it any more."),
    ("post", "/logout/all"): OperationEntry("logOutEverywhere", "Ends all sessions of the user, with this one."),
    ("get", "/sessions"): OperationEntry(
        "listSessions",
        "Returns the active sessions of the user, last used first. `id` names a session and cannot be used to sign in; "
        "`lastUsedAt` is exact to a minute.",
        response={
            "sessions": [
                {
                    "id": "3f0c2b4e-7d1a-4c55-9a53-0c8d6a1f2b77",
                    "device": "Firefox on Linux",
                    "createdAt": "2026-01-19T09:08:18Z",
                    "lastUsedAt": "2026-01-20T10:15:30Z",
                    "expiresAt": "2026-02-18T09:08:18Z",
                    "current": True,
                }
            ]
        },
    ),
    ("delete", "/sessions/{id}"): OperationEntry(
        "endSession",
        "Ends one session of the user, on a lost device for example. No service accepts it any more.",
        {"404": ("session_not_found",)},
    ),
    ("get", "/me"): OperationEntry(
        "getMe",
        "Returns the user of the session.",
        response={"userID": _SESSION["userID"], "login": "anna", "createdAt": "2026-01-19T09:08:18Z"},
    ),
    ("post", "/me/password"): OperationEntry(
        "changePassword",
        "Replaces the password and ends all other sessions of the user.",
        {"400": ("weak_password",), "403": ("wrong_password",)},
        {"oldPassword": "correct horse battery", "newPassword": "staple correct battery"},
    ),
}

_BALANCE: Final = {
    ("get", "/balance"): OperationEntry(
        "getBalance",
        "Returns the money that is free to spend; money in active checks has left the balance. With `at`, returns the "
        "balance as it stood at the end of that second.",
        response={"balance": 150000, "currency": "RUB"},
    ),
    ("get", "/balance/history"): OperationEntry(
        "getStatement",
        "Returns every change of the balance in one currency, newest first. `amount` is signed, and `balanceAfter` is "
        "the balance after the change.",
        response={
            "entries": [
                {
                    "entryID": "1204",
                    "kind": "check_created",
                    "amount": -15000,
                    "balanceAfter": 135000,
                    "currency": "RUB",
                    "fastcheck": "1234-5678-0001",
                    "createdAt": "2026-01-19T09:08:18Z",
                }
            ],
            "nextCursor": "WzEyMDRd",
        },
    ),
}

_CHECKS: Final = {
    ("post", "/fastcheck"): OperationEntry(
        "createCheck",
        "Creates a check. Its amount leaves the balance at once, and returns when the check expires or is cancelled. "
        "Hand the number and the code to the recipient. `expiresIn` is 60 seconds to 90 days; the default is 7 days.",
        {"409": ("insufficient_funds",)},
        {"amount": 15000, "note": "For dinner"},
        _ACTIVE,
    ),
    ("get", "/fastcheck/active"): OperationEntry(
        "listActiveChecks",
        "Returns the user's own checks that are neither used nor expired, newest first.",
        response={"checks": [_ACTIVE]},
    ),
    ("post", "/fastcheck/accept"): OperationEntry(
        "acceptCheck",
        "Moves the money of a check to the caller. Exactly one request gets this response; the next `GET /balance` "
        "shows the money. A wrong code counts as an attempt: five freeze the check for 15 minutes, doubling each time, "
        "and twenty failed attempts within an hour block the user.",
        _ATTEMPT,
        _NUMBER_AND_CODE,
        {
            "fastcheck": "1234-5678-0001",
            "amount": 15000,
            "currency": "RUB",
            "acceptedAt": "2026-01-20T10:15:30Z",
            "status": "used",
        },
    ),
    ("post", "/fastcheck/preview"): OperationEntry(
        "previewCheck",
        "Shows what the caller would receive, without accepting. A wrong code counts as an attempt.",
        _ATTEMPT,
        _NUMBER_AND_CODE,
        _PREVIEWED,
    ),
    ("post", "/fastcheck/preview/guest"): OperationEntry(
        "previewCheckAsGuest",
        "Shows a recipient without a session what the check holds, before they sign in or register. A wrong code "
        "counts as an attempt on the check, as for `POST /fastcheck/preview`; twenty failed attempts within an hour "
        "block the client's address.",
        _ATTEMPT,
        _NUMBER_AND_CODE,
        _PREVIEWED,
    ),
    ("post", "/fastcheck/{fastcheck}/cancel"): OperationEntry(
        "cancelCheck",
        "Cancels an own active check. The next `GET /balance` shows its money.",
        {"404": ("check_not_found",), "409": _ENDED},
        response={
            "fastcheck": "1234-5678-0001",
            "amount": 15000,
            "currency": "RUB",
            "note": "For dinner",
            "createdAt": "2026-01-19T09:08:18Z",
            "cancelledAt": "2026-01-19T10:00:00Z",
            "status": "cancelled",
        },
    ),
    ("post", "/fastcheck/{fastcheck}/code"): OperationEntry(
        "renewCode",
        "Replaces the code of an own active check; the old code stops working. A new code ends a freeze.",
        {"404": ("check_not_found",), "409": _ENDED},
        response={**_ACTIVE, "code": "0417"},
    ),
    ("get", "/fastcheck/history"): OperationEntry(
        "listHistory",
        "Returns used, expired and cancelled checks that the user created or accepted, last ended first. A check that "
        "the user both created and accepted is listed once under each type.",
        response={
            "checks": [
                {
                    "fastcheck": "1234-5678-0003",
                    "amount": 5000,
                    "currency": "RUB",
                    "type": "created",
                    "createdAt": "2026-01-15T09:08:18Z",
                    "usedAt": "2026-01-15T10:20:00Z",
                    "status": "used",
                },
                {
                    "fastcheck": "9876-5432-0100",
                    "amount": 10000,
                    "currency": "RUB",
                    "type": "accepted",
                    "acceptedAt": "2026-01-14T14:30:00Z",
                    "status": "used",
                },
            ]
        },
    ),
    ("get", "/fastcheck/{fastcheck}"): OperationEntry(
        "getCheck",
        "Returns one check to its creator (type `created`) or its acceptor (`accepted`); to other users it does not "
        "exist. A user who is both sees it as its creator. Only the creator of an active check sees its code.",
        {"404": ("check_not_found",)},
        response={"type": "created", **_ACTIVE},
    ),
    ("get", "/fastcheck/{fastcheck}/qr.svg"): OperationEntry(
        "getQrCode",
        "Returns a QR code, for the creator alone, of the link that opens the accept page with the number filled in. "
        "`withCode=true` adds the code after the `#`, which browsers do not send to servers.",
        {"404": ("check_not_found",), "409": _ENDED},
    ),
}

_PAYMENTS: Final = {
    ("post", "/topup"): OperationEntry(
        "createTopUp",
        "Creates a payment at the bank. Send the browser to `paymentUrl`; after the payment the bank sends it to "
        "`returnUrl`. The balance grows when the bank confirms, not when the browser returns: poll "
        "`GET /topup/{transactionID}`.",
        {
            "400": ("return_url_not_allowed",),
            "409": ("topup_over", "too_many_pending_topups"),
            "502": ("bank_unavailable", "bank_refused"),
        },
        {"amount": 50000, "returnUrl": "https://api.fastcheck.store/top-up"},
        {**_PENDING, "paymentUrl": "https://bank.example/pay/5a1c"},
    ),
    ("get", "/topup"): OperationEntry(
        "listTopUps", "Returns the user's top-ups, newest first.", response={"topups": [_CONFIRMED]}
    ),
    ("get", "/topup/{transactionID}"): OperationEntry(
        "getTopUp",
        "Returns one of the user's top-ups. After `confirmed` the balance shows the money shortly. `paymentUrl` is "
        "present while the top-up can be paid, so that the user can come back to an abandoned payment.",
        {"404": ("topup_not_found",)},
        response={**_PENDING, "paymentUrl": "https://bank.example/pay/5a1c"},
    ),
    ("get", "/topup/{transactionID}/return"): OperationEntry(
        "returnFromBank",
        "Redirects a browser that comes back from the bank to `returnUrl`. It needs no session and moves no money.",
        {"404": ("topup_not_found",)},
    ),
    ("post", "/bank/webhook/{bank}"): OperationEntry(
        "receiveNotification",
        "Receives a notification of a bank, in the bank's format and authenticated by its signature. A repeat is "
        "acknowledged and has no further effect.",
        _NOTIFICATION,
        has_rate_limit=False,
    ),
    ("get", "/bank/webhook/{bank}"): OperationEntry(
        "receiveNotificationByQuery",
        "Receives a notification of a bank whose protocol sends it in the query.",
        _NOTIFICATION,
        has_rate_limit=False,
    ),
}

_WEBHOOKS: Final = {
    ("post", "/webhooks"): OperationEntry(
        "createWebhook",
        "Registers a URL that receives the events of the user, all types or those in `events`; at most five. Requests "
        "follow the Standard Webhooks specification. `secret` verifies their signatures and is shown only here.",
        {"400": ("webhook_url_not_allowed",), "409": ("too_many_webhooks",)},
        {"url": "https://example.com/webhooks", "events": ["check.accepted", "topup.confirmed"]},
        {**_WEBHOOK, "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"},
    ),
    ("get", "/webhooks"): OperationEntry(
        "listWebhooks",
        "Returns the webhooks of the user, oldest first. A webhook whose receiver fails for three days is disabled and "
        "has a `notice`; a successful replay enables it.",
        response={"webhooks": [_WEBHOOK]},
    ),
    ("delete", "/webhooks/{id}"): OperationEntry(
        "deleteWebhook", "Deletes a webhook with its deliveries.", {"404": ("webhook_not_found",)}
    ),
    ("post", "/webhooks/{id}/rotate"): OperationEntry(
        "rotateWebhookSecret",
        "Replaces the signing secret. Until `previousSecretUntil` every request is signed with both secrets.",
        {"404": ("webhook_not_found",)},
        response={
            **_WEBHOOK,
            "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "previousSecretUntil": "2026-01-20T09:08:18Z",
        },
    ),
    ("get", "/webhooks/{id}/deliveries"): OperationEntry(
        "listWebhookDeliveries",
        "Returns the deliveries of a webhook of the last 30 days, newest first.",
        {"404": ("webhook_not_found",)},
        response={"deliveries": [_DELIVERY]},
    ),
    ("post", "/webhooks/{id}/deliveries/{deliveryId}/replay"): OperationEntry(
        "replayWebhookDelivery",
        "Sends a delivery again at once, whatever its status, to a disabled webhook too.",
        {"404": ("webhook_not_found", "delivery_not_found")},
        response={**_DELIVERY, "status": "pending", "nextAttemptAt": "2026-01-19T09:08:20Z"},
    ),
}

#: (method, path) -> entry.
OPERATIONS: Final[Mapping[tuple[str, str], OperationEntry]] = {
    **_ACCOUNTS,
    **_BALANCE,
    **_CHECKS,
    **_PAYMENTS,
    **_WEBHOOKS,
}

#: Ids of the operations that also return CSV.
LISTS_WITH_CSV: Final = frozenset({"getStatement", "listHistory"})
