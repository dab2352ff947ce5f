"""Client of the FastCheck API.

``FastCheck`` and ``AsyncFastCheck`` call the API, ``webhooks.verify`` authenticates the events that it sends. The types
of requests and responses are in ``models``.
"""

from fastcheck.async_client import AsyncFastCheck
from fastcheck.client import FastCheck
from fastcheck.errors import FastCheckError
from fastcheck.webhooks import Event, InvalidWebhook, verify

__all__ = ["AsyncFastCheck", "Event", "FastCheck", "FastCheckError", "InvalidWebhook", "verify"]
