"""The names of the log events of the gateway."""

from typing import Final

#: The cache responds again.
CACHE_AVAILABLE: Final = "cache_available"
#: The cache does not respond. Rate limits are off, and sessions cannot be ended.
CACHE_UNAVAILABLE: Final = "cache_unavailable"
#: A cached session was not written by a gateway of this system. It was ignored; some program forges sessions.
FORGED_SESSION_IGNORED: Final = "forged_session_ignored"
#: A service did not return its OpenAPI document; the previous merged document is served.
OPENAPI_DOCUMENT_STALE: Final = "openapi_document_stale"
