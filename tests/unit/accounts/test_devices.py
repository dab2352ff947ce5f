"""The device of a session from its ``User-Agent``."""

import pytest

from services.accounts.devices import device_of

CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 {}Safari/537.36{}"

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox on Linux"),
        (CHROME.format("Windows NT 10.0; Win64; x64", "", ""), "Chrome on Windows"),
        (CHROME.format("Windows NT 10.0; Win64; x64", "", " Edg/141.0.0.0"), "Edge on Windows"),
        (CHROME.format("Windows NT 10.0; Win64; x64", "YaBrowser/25.8 ", ""), "Yandex Browser on Windows"),
        (CHROME.format("Linux; Android 10; K", "Mobile ", ""), "Chrome on Android"),
        (IPHONE, "Safari on iPhone"),
        ("Firefox/143.0", "Firefox"),
        ("python-requests/2.32.5", "python-requests"),
        ("curl/8.14.1", "curl"),
        ("x" * 500, "x" * 100),
        ("<script>", None),
        ("", None),
    ],
)
def test_device_is_named_without_versions(user_agent: str, device: str | None) -> None:
    assert device_of(user_agent) == device
