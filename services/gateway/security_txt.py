"""``/.well-known/security.txt``: where to report a vulnerability (RFC 9116)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from flask import Blueprint, Flask, Response

from common.core.clock import SystemClock, format_utc
from common.core.errors import NotFound
from common.http.server.endpoint import unauthenticated
from services.gateway.config import GatewaySettings
from services.gateway.static_files import REVALIDATE

PATH: Final = "/.well-known/security.txt"
#: The RFC recommends less than a year. The file is made for each request, so it never expires while it is served.
VALID_FOR: Final = timedelta(days=90)


def serve(app: Flask, settings: GatewaySettings) -> None:
    """Register the route. It responds 404 unless the operator has set a contact."""
    routes = Blueprint("security_txt", __name__)
    clock = SystemClock.of(settings)

    @routes.get(PATH)
    @unauthenticated
    def security_txt() -> Response:
        if not settings.security_contact:
            raise NotFound
        text = render(settings.security_contact, settings.public_url, clock.now())
        # The content type and the character set are those that the RFC requires.
        return Response(text, headers={"Cache-Control": REVALIDATE}, content_type="text/plain; charset=utf-8")

    app.register_blueprint(routes)


def render(contacts: Sequence[str], public_url: str, now: datetime) -> str:
    """Return the file; the order of ``contacts`` is the operator's preference."""
    canonical = f"{public_url.rstrip('/')}{PATH}"
    fields = [
        *(f"Contact: {contact}" for contact in contacts),
        f"Expires: {format_utc(now + VALID_FOR)}",
        "Preferred-Languages: en, ru",
        # The RFC permits only https here.
        *([f"Canonical: {canonical}"] if canonical.startswith("https://") else []),
    ]
    return "\n".join(fields) + "\n"
