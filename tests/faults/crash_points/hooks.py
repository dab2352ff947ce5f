"""Hooks for points in the database driver, in both HTTP clients, and in the broker's client.

They sit below all service code, so that new statements and calls are points without further work. Every commit of a
process passes psycopg2's cursor: a COMMIT, or a writing statement outside of a transaction.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg2.extensions
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from tests.faults.crash_points.points import Points

COMMIT: Final = "commit"
HTTP: Final = "http"
PUBLISH: Final = "publish"
#: A message is acknowledged to the broker, which then does not deliver it again.
BROKER_ACK: Final = "broker ack"
KINDS: Final = (COMMIT, HTTP, PUBLISH, BROKER_ACK)

_BEGIN: Final = re.compile(r"^\s*BEGIN\s*;\s*", re.IGNORECASE)
_COMMIT: Final = re.compile(r"(^|;)\s*(COMMIT|END)\s*;?\s*$", re.IGNORECASE)
_WRITE: Final = re.compile(
    r"\b(?:INSERT\s+INTO|DELETE\s+FROM|(?<!FOR )(?<!KEY )(?<!DO )UPDATE)\s+([a-z_]+)", re.IGNORECASE
)
#: Parts of a path that differ between runs.
_IDS: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d{4}-\d{4}")


@dataclass
class _Session:
    """The state of one connection."""

    wrote: list[str] = field(default_factory=list)


class Hooks:
    """Installs the points of this process in two steps: before and after the services are imported."""

    def __init__(self, points: Points) -> None:
        self._points = points
        self._sessions: WeakKeyDictionary[Any, _Session] = WeakKeyDictionary()

    def hook_driver(self) -> None:
        """Replace psycopg2's cursor, from which the services' driver derives. Call before importing services."""
        if "common.db.driver" in sys.modules:
            raise RuntimeError("the driver is already imported: its cursor has no hook")
        hooks = self

        class WatchedCursor(psycopg2.extensions.cursor):
            def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  psycopg2's own name
                hooks._executed(self.connection, query, lambda: super(WatchedCursor, self).execute(query, vars))

        psycopg2.extensions.cursor = WatchedCursor  # type: ignore[misc]

    def hook_clients(self) -> None:
        """Hook both HTTP clients, and the functions that send and acknowledge messages."""
        import kombu.message  # noqa: PLC0415
        import kombu.messaging  # noqa: PLC0415
        import urllib3.connectionpool  # noqa: PLC0415

        import common.http.client.client  # noqa: PLC0415

        self._around(common.http.client.client.HttpClient, "request", HTTP, _path_of)
        self._around(urllib3.connectionpool.HTTPConnectionPool, "urlopen", HTTP, _path_of)
        self._around(kombu.messaging.Producer, "publish", PUBLISH, lambda _args, kw: str(kw.get("routing_key")))
        self._around(kombu.message.Message, "ack", BROKER_ACK, lambda _args, _kw: "")

    def _around(self, owner: type, name: str, kind: str, label: Callable[[Any, Any], str]) -> None:
        original = getattr(owner, name)

        def watched(itself: Any, *args: Any, **kwargs: Any) -> Any:
            with self._points.passing(kind, label(args, kwargs)):
                return original(itself, *args, **kwargs)

        setattr(owner, name, watched)

    def _executed(self, connection: Any, query: Any, execute: Callable[[], None]) -> None:
        session = self._sessions.setdefault(connection, _Session())
        text = query.decode() if isinstance(query, bytes) else str(query)
        begins = _BEGIN.match(text) is not None
        session.wrote += dict.fromkeys(_WRITE.findall(text))
        in_transaction = begins or connection.info.transaction_status != TRANSACTION_STATUS_IDLE
        commits = bool(_COMMIT.search(text)) or (bool(session.wrote) and not in_transaction)
        if not commits:
            if not in_transaction or text.strip().upper() == "ROLLBACK":
                session.wrote.clear()
            execute()
            return
        label = "COMMIT " if in_transaction else ""
        label += ", ".join(dict.fromkeys(session.wrote)) or "(nothing written)"
        session.wrote.clear()
        with self._points.passing(COMMIT, label):
            execute()


def _path_of(args: Any, kwargs: Any) -> str:
    method, url = (kwargs.get(name) or args[place] for place, name in enumerate(("method", "target")))
    return f"{method} {_IDS.sub('<id>', str(url).split('?', 1)[0])}"
