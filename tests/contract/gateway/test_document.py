"""The public document: clients can be generated from it, and it tells what each response means."""

import json
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema_rs

import common
import services
from common.core.errors import BusinessError
from services.gateway.error_catalog import ERROR_CODES, INTERNAL_CODES
from services.gateway.operation_catalog import OPERATIONS

Document = dict[str, Any]

GOLDEN_OPERATIONS = Path(__file__).parents[1] / "golden" / "operations.json"

#: Codes of Flask's own errors, which have no class.
HTTP_CODES = {"bad_request", "method_not_allowed", "length_required", "request_entity_too_large", "internal_error"}


def operations_of(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in a document."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from objects_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from objects_in(item)


def examples_of(content: Document) -> list[Any]:
    single = [content["example"]] if "example" in content else []
    return single + [example["value"] for example in content.get("examples", {}).values()]


def test_operation_ids_are_stable(document: Document) -> None:
    """Generated clients name their functions after the ids. Operations may be added to the golden file only."""
    ids = {operation["operationId"]: f"{method.upper()} {path}" for method, path, operation in operations_of(document)}
    assert ids == json.loads(GOLDEN_OPERATIONS.read_text())


def test_catalog_names_exactly_the_operations_of_the_services(document: Document) -> None:
    documented = {(method, path) for method, path, _ in operations_of(document)} - {("get", "/healthz")}
    assert documented == set(OPERATIONS)


def test_optional_means_absent_and_not_null(document: Document) -> None:
    for schema in objects_in(document):
        assert schema.get("type") != "null"
        assert "null" not in schema.get("enum", ())
        assert schema.get("default", "") is not None
        assert "nullable" not in schema


def test_request_properties_have_no_default_that_generators_would_require(document: Document) -> None:
    for schema in document["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            assert "default" not in field, name


def test_responses_are_open_to_new_fields(document: Document) -> None:
    requests = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
        for _, _, operation in operations_of(document)
        if "requestBody" in operation
    }
    for name, schema in document["components"]["schemas"].items():
        if schema["type"] == "object":
            assert (schema.get("additionalProperties") is False) == (name in requests), name


def test_every_operation_has_summary_description_and_examples(document: Document) -> None:
    for method, path, operation in operations_of(document):
        assert operation["summary"], path
        assert operation["description"], path
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for body in [*bodies, *operation["responses"].values()]:
            content = body.get("content", {}).get("application/json")
            if content is not None and path != "/healthz":
                assert examples_of(content), f"{method} {path} has no example"


def test_examples_match_their_schemas(document: Document) -> None:
    checked = 0
    for described in objects_in(document["paths"]):
        if "schema" not in described:
            continue
        schema = {**described["schema"], "components": document["components"]}
        for example in examples_of(described):
            jsonschema_rs.validate(schema, example)
            checked += 1
    assert checked > 100


def test_there_is_one_error_schema_and_each_error_response_tells_its_codes(document: Document) -> None:
    for _, path, operation in operations_of(document):
        for status, response in operation["responses"].items():
            if status < "400" or path == "/healthz":
                continue
            content = response["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
            for name, example in content["examples"].items():
                assert example["value"].get("code", "no_session") == name
                assert name == "no_session" or f"`{name}`: {ERROR_CODES[name].meaning}" in response["description"]
    assert document["components"]["schemas"]["ErrorBody"]["required"] == ["message"]


def test_the_body_without_a_session_is_that_of_the_source_document(document: Document) -> None:
    response = document["paths"]["/balance"]["get"]["responses"]["401"]
    assert examples_of(response["content"]["application/json"]) == [{"message": "not authorized"}]


def test_a_session_id_alone_can_be_entered_as_bearer(document: Document) -> None:
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for _, path, operation in operations_of(document):
        if "security" in operation:
            assert operation["security"] == [{"bearer": []}, {"session": []}], path


def test_responses_declare_their_headers(document: Document) -> None:
    responses = document["paths"]["/fastcheck/accept"]["post"]["responses"]
    everywhere = {"X-Request-ID", "RateLimit", "RateLimit-Policy"}
    assert set(responses["200"]["headers"]) == {*everywhere, "Idempotency-Replayed"}
    assert set(responses["410"]["headers"]) == {*everywhere, "Idempotency-Replayed"}
    assert set(responses["429"]["headers"]) == {*everywhere, "Retry-After"}
    assert set(responses["400"]["headers"]) == everywhere
    for _, _, operation in operations_of(document):
        for response in operation["responses"].values():
            for name, header in response["headers"].items():
                assert header == {"$ref": f"#/components/headers/{name}"}
                assert document["components"]["headers"][name]["description"]


def business_errors() -> Iterator[type[BusinessError]]:
    for package in (common, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" in module.name or "sandbox_bank" in module.name:
                continue
            for value in vars(import_module(module.name)).values():
                if isinstance(value, type) and issubclass(value, BusinessError):
                    yield value


def test_catalog_has_every_code_with_one_of_its_messages() -> None:
    messages: dict[str, set[str]] = {}
    for error in business_errors():
        messages.setdefault(error.code, set()).add(error.message)
    assert set(messages) == {*ERROR_CODES, *INTERNAL_CODES} - HTTP_CODES
    for code, entry in ERROR_CODES.items():
        assert code in HTTP_CODES or entry.message in messages[code], code


def test_documented_codes_have_the_status_of_their_class(document: Document) -> None:
    statuses: dict[str, set[str]] = {}
    for error in business_errors():
        statuses.setdefault(error.code, set()).add(str(error.status))
    documented: set[str] = set()
    for _, _, operation in operations_of(document):
        for status, response in operation["responses"].items():
            for code in response.get("content", {}).get("application/json", {}).get("examples", {}):
                documented.add(code)
                assert code == "no_session" or code in HTTP_CODES or status in statuses[code], (status, code)
    assert {*ERROR_CODES, "no_session"} - documented == {"method_not_allowed"}
