"""The names of the log events of the gateway."""

from typing import Final

CACHE_AVAILABLE: Final = "cache_available"
CACHE_UNAVAILABLE: Final = "cache_unavailable"
OPENAPI_DOCUMENT_STALE: Final = "openapi_document_stale"
