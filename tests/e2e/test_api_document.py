"""Generated requests against the running gateway: no 500, and every response matches ``/openapi.json``."""

import json
from typing import Any, cast

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.system import RunningSystem
from tests.support.users import create_user


def returns_documented_codes(_context: Any, response: Any, case: Any) -> None:
    """Fail if an error response has a code that the document does not list for this operation and status."""
    if response.status_code < 400:
        return
    definition = case.operation.definition.raw["responses"][str(response.status_code)]
    examples = definition["content"]["application/json"]["examples"]
    code = response.json().get("code", "no_session")
    if code not in examples:
        raise AssertionError(f"{case.operation.label} returned the undocumented {response.status_code} {code}")


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    returns_documented_codes,
]
EXAMPLES_PER_OPERATION = 15

#: Operations that end the session, which the other operations need.
ENDS_THE_SESSION = {"/logout", "/logout/all", "/me/password"}


def test_every_response_matches_the_document(system: RunningSystem) -> None:
    user = create_user(system.gateway_url, kopecks=100_000)
    document = requests.get(f"{system.gateway_url}/openapi.json", timeout=10).json()
    _close(document)
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=system.gateway_url)
    operations: list[Any] = [cast("Any", result).ok() for result in schema.get_all_operations()]
    assert len(operations) >= 20
    statuses: dict[str, set[int]] = {}
    for operation in operations:
        session = "0" * 32 if operation.path in ENDS_THE_SESSION else user.session_id
        headers = {"Authorization": json.dumps({"sessionID": session})}
        seen = _exercise(operation, headers, GenerationMode.POSITIVE)
        if operation.body or operation.query or operation.path_parameters:
            seen |= _exercise(operation, headers, GenerationMode.NEGATIVE)
        statuses[operation.label] = seen
    # The generator reached both sides: valid requests succeeded and invalid ones were rejected.
    assert 201 in statuses["POST /fastcheck"], statuses
    assert 400 in statuses["POST /fastcheck"], statuses
    assert 200 in statuses["GET /balance"], statuses
    assert 404 in statuses["POST /fastcheck/accept"], statuses


def _close(document: dict[str, Any]) -> None:
    """Forbid fields that the document does not name, which clients must allow but the services must not send."""
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False


def _exercise(operation: Any, headers: dict[str, str], mode: GenerationMode) -> set[int]:
    """Send generated requests of one mode, validate each response, and return the statuses."""
    seen: set[int] = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES_PER_OPERATION,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def responds_as_documented(case: Any) -> None:
        seen.add(case.call_and_validate(headers=headers, checks=CHECKS, timeout=20).status_code)

    responds_as_documented()
    return seen
