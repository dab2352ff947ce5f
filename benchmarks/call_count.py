"""Count the calls of our own Python functions that one accept takes in the three services that handle it.

``python -m benchmarks.call_count [--functions]`` starts a system, creates a second web process of gateway, checks and
balance inside of this process, and accepts one check through them with a profiler. Connections and caches are warm.
Comprehensions and generator expressions do not count as functions. ``--functions`` also lists
every function with its number of calls.
"""

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, Final
from unittest.mock import patch

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import Client

from benchmarks import system, user_pool

ROOT: Final = Path(__file__).resolve().parents[1]
#: In the order of their dependencies; each is called by the next ones.
SERVICES: Final = ("balance", "checks", "gateway")
OWN_FOLDERS: Final = (f"{ROOT}/common/", f"{ROOT}/services/")
AMOUNT_MINOR: Final = 100
#: The thread that closes outbox rows in batches; its work is not part of a request.
_ACKNOWLEDGER: Final = "acknowledger"
WARM_UPS: Final = 20
#: Accepts that are counted; the median is reported. Some prepare a statement on a new connection.
MEASURED: Final = 9


class CallCounter:
    """Counts calls of functions below ``OWN_FOLDERS`` in all threads that start after :meth:`install`."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.active = False

    def install(self) -> None:
        """Profile this thread and all that it starts."""
        threading.setprofile(self._count)
        sys.setprofile(self._count)

    def _count(self, frame: FrameType, event: str, _argument: Any) -> None:
        if not self.active or event != "call" or threading.current_thread().name == _ACKNOWLEDGER:
            return
        code = frame.f_code
        if code.co_filename.startswith(OWN_FOLDERS) and not code.co_name.endswith(("comp>", "genexpr>", "<module>")):
            self.calls[str(Path(code.co_filename).relative_to(ROOT)), code.co_qualname] += 1


class _KeepAliveHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Write nothing: the services write their own log lines."""


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve a WSGI application from threads of this process; yields its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_KeepAliveHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def environment_of(pid: int) -> dict[str, str]:
    """Return the ``FASTCHECK_*`` variables of a process."""
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return {
        name: value for name, _, value in (entry.partition("=") for entry in entries) if name.startswith("FASTCHECK_")
    }


def create_app(service: str, variables: Mapping[str, str]) -> Any:
    """Create a service's application from these settings."""
    with patch.dict("os.environ", variables):
        return import_module(f"services.{service}.app").create_app()


def accept(client: Client, creator: str, acceptor: str, counter: CallCounter | None) -> None:
    """Create a check and accept it; only the accept is counted."""

    def post(session: str, path: str, body: Mapping[str, object], key: str) -> Any:
        headers = {"Authorization": json.dumps({"sessionID": session}), "Idempotency-Key": key}
        response = client.post(path, json=body, headers=headers)
        if response.status_code not in (200, 201):
            raise RuntimeError(f"{path} responded {response.status_code}: {response.text}")
        return response.json

    number = next(_NUMBERS)
    check = post(creator, "/fastcheck", {"amount": AMOUNT_MINOR, "currency": "RUB"}, f"create-{number}")
    if counter is not None:
        counter.active = True
    post(acceptor, "/fastcheck/accept", {"fastcheck": check["fastcheck"], "code": check["code"]}, f"accept-{number}")
    if counter is not None:
        counter.active = False


_NUMBERS: Final = iter(range(sys.maxsize))


def measure() -> Counter[tuple[str, str]]:
    """Return the number of calls per file and function of one accept, the median by total."""
    counter = CallCounter()
    with ExitStack() as stack:
        running = stack.enter_context(system.started())
        creator, acceptor = user_pool.register(running, 2)
        user_pool.enrich(running, [creator])
        counter.install()
        urls: dict[str, str] = {}
        for service in SERVICES:
            app = create_app(service, environment_of(running.processes[f"{service}-web"]) | urls)
            urls[f"FASTCHECK_{service.upper()}_URL"] = stack.enter_context(served(app))
        client = Client(app)
        for _ in range(WARM_UPS):
            accept(client, creator.session, acceptor.session, None)
        counts: list[Counter[tuple[str, str]]] = []
        for _ in range(MEASURED):
            counter.calls = Counter()
            accept(client, creator.session, acceptor.session, counter)
            counts.append(counter.calls)
        sys.setprofile(None)
    return sorted(counts, key=Counter.total)[MEASURED // 2]


def main(arguments: list[str]) -> None:
    """Print the counts."""
    calls = measure()
    parts: Counter[str] = Counter()
    for (file, _), count in calls.items():
        parts["/".join(file.split("/")[:2])] += count
    for part, count in parts.most_common():
        sys.stdout.write(f"{count:5d}  {part}\n")
    sys.stdout.write(f"{calls.total():5d}  in all\n")
    if "--functions" in arguments:
        for (file, function), count in sorted(calls.items()):
            sys.stdout.write(f"{count:5d}  {file}  {function}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
