"""Write the reference pages on the API, errors, events, metrics and log events: ``python -m tools.reference_pages``."""

import dataclasses
import importlib
import inspect
import os
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, Final, get_type_hints
from unittest import mock

from prometheus_client.metrics import MetricWrapperBase

import auditor.metrics
import common
import services
from common.contracts.events import EVENTS, PUBLISHERS, SUBSCRIBERS
from common.core.errors import BusinessError
from common.db.rights import TableRights, runtime_role
from deploy.credentials import generate
from deploy.environment import process_environment, system_settings
from deploy.services import BY_NAME, DATABASES, SERVICES
from services.gateway.documentation import merge
from services.gateway.error_catalog import ERROR_CODES
from tools import log_events

ROOT: Final = Path(__file__).resolve().parents[1]
NOTICE: Final = "<!-- Generated from the code: change the code and run `make reference`. -->"
#: Not part of the public API: the sandbox bank stands in for a system outside of FastCheck.
PUBLIC_SERVICES: Final = ("accounts", "balance", "checks", "payments", "webhooks")


def public_document() -> dict[str, Any]:
    """Return the public OpenAPI document of the code."""
    return merge({service: _openapi(service) for service in PUBLIC_SERVICES}, "")


def api() -> str:
    """Every public operation, from the public OpenAPI document."""
    document = public_document()
    rows = sorted(
        (
            path,
            method.upper(),
            operation["operationId"],
            operation["summary"],
            " ".join(f"`{status}`" for status in sorted(operation["responses"])),
        )
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    table = "\n".join(
        f"| `{method} {path}` | `{name}` | {summary} | {statuses} |" for path, method, name, summary, statuses in rows
    )
    return f"""# API

{NOTICE}

The gateway serves the OpenAPI 3.1 document at `/openapi.json` and a page to try the API on at `/docs`. This page lists
the operations; the document has their fields.

- **Format.** JSON in UTF-8, names in `camelCase`. Unknown fields in a request are rejected with `400`.
- **Session.** `Authorization: {{"sessionID": "1AF3781BF6B94604B771AEA1D44FA63A"}}`, or
  `Authorization: Bearer <sessionID>`.
- **Money.** Integers in the currency's minor unit: `15000` is 150 roubles. `currency` is an ISO 4217 code; the default
  is `RUB`.
- **Time.** UTC in whole seconds: `2026-01-19T09:08:18Z`.
- **Errors.** `{{"message": "…", "code": "…"}}`, and `errors` by field where fields are wrong; see [errors](errors.md).
  Each response has an `X-Request-ID`.
- **Idempotency.** A `POST` that moves money takes an `Idempotency-Key`. The same key with the same body gets the first
  response again, with `Idempotency-Replayed: true`.
- **Pages.** Lists take `limit` (1 to 500, default 100) and `cursor`. A response with more items has `nextCursor`. The
  newest item comes first.

Clients can be generated from the document: an optional field is absent and never `null`, operation ids are stable, and
responses may get new fields. Tests generate a TypeScript client with openapi-typescript and a Python client with
openapi-python-client, compile both in their strictest mode, and move money with them.

| operation | id | summary | responses |
| --- | --- | --- | --- |
{table}
"""


def errors() -> str:
    """Every error code of the public API with its statuses, and the business failures of each."""
    classes = [cls for cls in _classes(BusinessError) if "sandbox_bank" not in cls.__module__]
    statuses: dict[str, set[int]] = {"bad_request": {400}, "method_not_allowed": {405}}
    statuses |= {"length_required": {411}, "request_entity_too_large": {413}, "internal_error": {500}}
    for cls in classes:
        statuses.setdefault(cls.code, set()).add(cls.status)
    shown = {code: " ".join(f"`{status}`" for status in sorted(each)) for code, each in statuses.items()}
    codes = "\n".join(
        f"| `{code}` | {shown[code]} | {entry.meaning} | {entry.retry} |" for code, entry in sorted(ERROR_CODES.items())
    )
    rows = sorted(
        {
            (cls.code, cls.status, cls.message, cls.__module__.split(".")[1] if "services" in cls.__module__ else "all")
            for cls in classes
        }
    )
    table = "\n".join(f"| `{code}` | `{status}` | {service} | {message} |" for code, status, message, service in rows)
    return f"""# Errors

{NOTICE}

A failed request gets `{{"message": "<for a person>", "code": "<for a program>"}}`. The message may change; the code
does not. `401` for a missing or invalid session has `message` only. `429` and most `503` responses have `Retry-After`.

`Accept: application/problem+json` selects problem details (RFC 9457): `type` (`urn:fastcheck:error:<code>`), `title`,
`status`, `detail` (the message), `code`, `errors` and `requestID`. `Accept-Language: ru` selects Russian messages; the
message of the `401` without a session is always the same.

| code | status | meaning | what to do |
| --- | --- | --- | --- |
{codes}

## Messages

The services' business failures, internal ones included:

| code | status | service | message |
| --- | --- | --- | --- |
{table}

An unexpected failure gets `500 internal_error` and an error line in the log with the same `request_id`.
"""


def events() -> str:
    """Every event with its subscribers and its payload."""
    sections = "\n".join(_event(name, event) for name, event in EVENTS.items())
    return f"""# Events

{NOTICE}

An event has an envelope (`event_id`, `type`, `occurred_at`, `request_id`, `traceparent`, `payload`) and is delivered at
least once. Its id derives from its type and its subject, so a repeated event has the same id. A change that an old
consumer cannot read gets a new version in the type. [Lifecycle of an event](../explanation/event-lifecycle.md)
describes the delivery.

{sections}"""


def metrics() -> str:
    """Every Prometheus metric of FastCheck's own."""
    rows = sorted(_row(metric) for metric in _metrics())
    table = "\n".join(f"| `{name}` | {kind} | {labels} | {text} |" for name, kind, labels, text in rows)
    return f"""# Metrics

{NOTICE}

Each process serves `GET /metrics` for Prometheus on its operator port (`FASTCHECK_METRICS_PORT`), workers, relays,
schedulers and the auditor too. Python's process metrics are served as well.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
{table}
"""


def log_events_page() -> str:
    """Every log event with its level and meaning, by the program that writes it."""
    sections = "\n".join(_log_section(title, modules) for title, modules in log_events.BY_PROGRAM.items())
    return f"""# Log events

{NOTICE}

Each process writes one JSON object per line to stdout. `event` is one of the names below; `level`, `timestamp`,
`service`, `logger_name` and, within a request or a task, `request_id` are in every line. Codes, passwords, session ids
and card numbers are never logged. Alert on the level `error`.

{sections}"""


def database_rights() -> str:
    """The rights of the runtime role of each service on each table."""
    sections = "\n".join(_rights_section(service) for service in DATABASES)
    return f"""# Rights in the databases

{NOTICE}

Each service has two roles in its own database. The *migration role* `fastcheck_<service>_owner` owns the database and
all tables; only migrations connect with it. The *runtime role* `fastcheck_<service>` is that of the processes. It owns
nothing and has the rights below, which `services/<service>/rights.py` declares and each migration applies. It has no
TRUNCATE, no right on `alembic_version`, and cannot create, change or drop any object. The auditor's role reads some
columns and writes nothing, see [auditing](../how-to/audit-the-books.md).

PostgreSQL requires UPDATE on one column for row locks (`FOR UPDATE`): `failed_attempts` and `idempotency_keys` have
one for this reason only.

{sections}"""


def _rights_section(service: str) -> str:
    rights = importlib.import_module(f"services.{service}.rights").RIGHTS
    tables = "\n".join(_rights_row(name, table) for name, table in sorted(rights.tables.items()))
    sequences = "".join(f"\nSequence `{name}`: {privilege}.\n" for name, privilege in rights.sequences.items())
    head = "| table | SELECT | INSERT | UPDATE | DELETE |\n| --- | --- | --- | --- | --- |"
    return f"## {service}\n\nRole `{runtime_role(service)}`.\n\n{head}\n{tables}\n{sequences}"


def _rights_row(name: str, table: TableRights) -> str:
    columns = ", ".join(f"`{column}`" for column in table.update)
    given = ["yes", "yes" if table.insert else "", columns, "yes" if table.delete else ""]
    return f"| `{name}` | {' | '.join(given)} |"


def _log_section(title: str, modules: tuple[str, ...]) -> str:
    rows = sorted((each.name, each.levels, each.meaning) for module in modules for each in log_events.read(module))
    table = "\n".join(f"| `{name}` | {levels} | {meaning} |" for name, levels, meaning in rows)
    return f"## {title}\n\n| event | level | meaning |\n| --- | --- | --- |\n{table}\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/reference/api.md": api,
    "docs/reference/errors.md": errors,
    "docs/reference/events.md": events,
    "docs/reference/metrics.md": metrics,
    "docs/reference/log-events.md": log_events_page,
    "docs/reference/database-rights.md": database_rights,
}


def _openapi(service: str) -> dict[str, Any]:
    names = ["postgres", "redis", *(each.name for each in SERVICES)]
    addresses = {name: f"127.0.0.1:{20_000 + number}" for number, name in enumerate(names)}
    settings = system_settings(generate(), addresses, public_url="http://127.0.0.1:8000", user={})
    with mock.patch.dict(os.environ, process_environment(BY_NAME[service], settings)):
        document: dict[str, Any] = importlib.import_module(f"services.{service}.app").create_app().api_doc
    return document


def _modules() -> Iterator[ModuleType]:
    for package in (common, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name:
                yield importlib.import_module(module.name)


def _classes(base: type[BusinessError]) -> Iterator[type[BusinessError]]:
    for module in _modules():
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if issubclass(cls, base) and cls is not base and cls.__module__ == module.__name__:
                yield cls


def _metrics() -> Iterator[MetricWrapperBase]:
    found = {id(value): value for module in _modules() for value in vars(module).values() if _is_metric(value)}
    yield from found.values()
    yield from (value for value in vars(auditor.metrics.AuditMetrics()).values() if _is_metric(value))


def _is_metric(value: object) -> bool:
    return isinstance(value, MetricWrapperBase)


def _row(metric: MetricWrapperBase) -> tuple[str, str, str, str]:
    """Name as Prometheus stores it, type, labels and description."""
    (family,) = metric.describe()
    suffix = "_total" if family.type == "counter" else ""
    labels = " ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001
    return family.name + suffix, family.type, labels, family.documentation


def _event(name: str, event: type) -> str:
    subscribers = ", ".join(f"`{subscriber}`" for subscriber in SUBSCRIBERS[name])
    fields = f"| field | type |\n| --- | --- |\n{_fields(event)}"
    parties = f"Publisher: `{PUBLISHERS[name]}`. Subscribers: {subscribers}."
    return f"## `{name}`\n\n{inspect.getdoc(event)}\n\n{parties}\n\n{fields}\n"


def _fields(event: type) -> str:
    types = get_type_hints(event)
    return "\n".join(f"| `{field.name}` | {_type(types[field.name])} |" for field in dataclasses.fields(event))


def _type(hint: Any) -> str:
    """Return the name of a type; an optional one is a union with None."""
    if isinstance(hint, UnionType):
        (value,) = (each for each in hint.__args__ if each is not NoneType)
        return f"`{value.__name__}`, optional"
    return f"`{hint.__name__}`"


def main() -> None:
    """Write all pages."""
    for path, page in PAGES.items():
        (ROOT / path).write_text(page())


if __name__ == "__main__":
    main()
