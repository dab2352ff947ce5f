"""The device of a session, as its user recognizes it (``Firefox on Linux``; versions are not stored), and devices that
the gateway has recognized.
"""

import re
from typing import Final
from uuid import UUID

from services.accounts.models import Device

MAX_DEVICE_LENGTH: Final = 100

#: In this order: most browsers name others, too.
_BROWSERS: Final = (
    ("YaBrowser/", "Yandex Browser"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
#: The name of a program that is no browser: ``curl/8.5.0``.
_PRODUCT: Final = re.compile(r"[A-Za-z0-9._-]+")


def device_of(user_agent: str) -> str | None:
    """Return the browser and the system that a ``User-Agent`` names, else its program, else None."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    if browser is None:
        product = _PRODUCT.match(user_agent)
        return product[0][:MAX_DEVICE_LENGTH] if product else None
    return f"{browser} on {system}" if system else browser


def known_devices(header: str) -> list[Device]:
    """Return the devices in the gateway's ``X-Known-Devices``: pairs of user id and device id, ``<user>/<device>,...``.

    Raises ValueError for a malformed header: only the gateway sends it.
    """
    pairs = [pair.split("/") for pair in header.split(",") if pair]
    return [Device(UUID(user_id), UUID(device_id)) for user_id, device_id in pairs]
