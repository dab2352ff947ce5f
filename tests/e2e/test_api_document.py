"""The document at ``/openapi.json`` against the running gateway: no 500, and every answer as it is documented."""

import json

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.people import somebody
from tests.support.system import RunningSystem

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES_PER_OPERATION = 25

#: Ends the session that all the other operations need.
ENDS_THE_SESSION = {"/logout", "/logout/all", "/me/password"}


def test_every_operation_answers_as_it_is_documented(system: RunningSystem) -> None:
    person = somebody(system.gateway_url, kopecks=100_000)
    document = requests.get(f"{system.gateway_url}/openapi.json", timeout=10).json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=system.gateway_url)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 20
    for operation in operations:
        session = "0" * 32 if operation.path in ENDS_THE_SESSION else person.session_id
        _try(operation, {"Authorization": json.dumps({"sessionID": session})})


def _try(operation: APIOperation, headers: dict[str, str]) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES_PER_OPERATION,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def answers_as_documented(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS, timeout=20)

    answers_as_documented()
