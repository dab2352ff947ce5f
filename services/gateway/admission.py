"""How a route says who may use it and how often: ``@signed_in("balance", Rate.READ)``, ``@guest(...)``."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from common.http.server.context import context_of
from common.http.server.exchange import Answer, current
from services.gateway import service
from services.gateway.client_address import client_address
from services.gateway.context import Context
from services.gateway.models import Call, Rate
from services.gateway.session_header import session_hash_of

View = Callable[[Call], Answer]
Route = Callable[..., Answer]


def signed_in(owner: str, rate: Rate) -> Callable[[View], Route]:
    """The route needs a session, is counted per user as ``rate``, and is answered by the service ``owner``."""

    def admit(context: Context) -> Call:
        exchange = current()
        return service.admit_user(
            context,
            owner,
            rate,
            session_hash_of(exchange.header("Authorization")),
            address=client_address(exchange.environ, context.settings.trusted_proxies),
            request_id=exchange.request_id,
        )

    return _guarded(admit, owner, access="guarded")


def guest(owner: str, rate: Rate) -> Callable[[View], Route]:
    """The route needs no session, is counted per address of the client, and is answered by the service ``owner``."""

    def admit(context: Context) -> Call:
        address = client_address(current().environ, context.settings.trusted_proxies)
        return service.admit_guest(context, owner, rate, address=address)

    return _guarded(admit, owner, access="anybody")


def _guarded(admit: Callable[[Context], Call], owner: str, access: str) -> Callable[[View], Route]:
    def decorate(view: View) -> Route:
        @wraps(view)
        def guarded(**_path: Any) -> Answer:
            # What the path says is the owner's business; it is handed on as it came.
            return view(admit(context_of(Context)))

        guarded.__fastcheck_access__ = access  # type: ignore[attr-defined]
        guarded.__fastcheck_owner__ = owner  # type: ignore[attr-defined]
        return guarded

    return decorate
