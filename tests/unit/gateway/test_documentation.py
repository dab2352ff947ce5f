"""Merging the OpenAPI documents of the services."""

import copy
from typing import Any

import pytest

from services.gateway.documentation import merge

URL = "https://api.fastcheck.test"
ERROR = {"type": "object", "properties": {"message": {"type": "string"}}}


def document(path: str, schemas: dict[str, Any], **operation: Any) -> dict[str, Any]:
    response = {"200": {"description": "OK", "content": {"application/json": {"schema": {"$ref": ref("View")}}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "a service", "version": "1"},
        "tags": [{"name": "Money"}],
        "paths": {path: {"get": {"responses": response, **operation}}},
        "components": {"schemas": {"ErrorBody": ERROR, **schemas}},
    }


def ref(name: str) -> str:
    return f"#/components/schemas/{name}"


def test_merged_document_has_all_paths_and_each_equal_schema_once() -> None:
    merged = merge(
        {"balance": document("/balance", {"View": {"type": "integer"}}), "checks": document("/fastcheck", {})}, URL
    )
    assert set(merged["paths"]) == {"/balance", "/fastcheck", "/healthz"}
    assert merged["components"]["schemas"] == {"ErrorBody": ERROR, "View": {"type": "integer"}}
    assert [server["url"] for server in merged["servers"]] == ["/", URL]
    assert merged["tags"] == [{"name": "Money"}]
    assert merged["components"]["securitySchemes"]["session"]["name"] == "Authorization"


def test_different_schemas_with_one_name_are_renamed_with_their_references() -> None:
    list_of_views = {"type": "array", "items": {"$ref": ref("View")}}
    merged = merge(
        {
            "balance": document("/balance", {"View": {"type": "integer"}}),
            "sandbox_bank": document("/pay", {"View": {"type": "string"}, "List": list_of_views}),
        },
        URL,
    )
    schemas = merged["components"]["schemas"]
    assert schemas["View"] == {"type": "integer"}
    assert schemas["SandboxBankView"] == {"type": "string"}
    assert schemas["List"]["items"] == {"$ref": ref("SandboxBankView")}
    responses_by_status = {
        path: item["get"]["responses"]["200"] for path, item in merged["paths"].items() if path != "/healthz"
    }
    refs = {
        path: response["content"]["application/json"]["schema"]["$ref"]
        for path, response in responses_by_status.items()
    }
    assert refs == {"/balance": ref("View"), "/pay": ref("SandboxBankView")}


def test_schema_with_a_renamed_reference_is_renamed_too() -> None:
    schemas = {"List": {"items": {"$ref": ref("View")}}, "Page": {"properties": {"list": {"$ref": ref("List")}}}}
    merged = merge(
        {
            "balance": document("/balance", {"View": {"type": "integer"}, **schemas}),
            "checks": document("/fastcheck", {"View": {"type": "string"}, **schemas}),
        },
        URL,
    )
    assert merged["components"]["schemas"]["List"] == {"items": {"$ref": ref("View")}}
    assert merged["components"]["schemas"]["ChecksList"] == {"items": {"$ref": ref("ChecksView")}}
    assert merged["components"]["schemas"]["ChecksPage"] == {"properties": {"list": {"$ref": ref("ChecksList")}}}
    assert "ChecksErrorBody" not in merged["components"]["schemas"]


def test_internal_routes_are_left_out() -> None:
    merged = merge({"balance": document("/internal/holds", {})}, URL)
    assert set(merged["paths"]) == {"/healthz"}


def test_responses_of_the_gateway_are_added_where_missing() -> None:
    own = {"200": {"description": "OK"}, "429": {"description": "frozen"}}
    merged = merge(
        {
            "checks": document(
                "/x", {}, responses=own, security=[{"session": []}], requestBody={"content": {}, "required": True}
            ),
            "payments": document("/y", {}),
        },
        URL,
    )
    responses_by_status = merged["paths"]["/x"]["get"]["responses"]
    assert set(responses_by_status) == {"200", "304", "400", "401", "411", "413", "429", "500", "503"}
    assert "`too_many_requests`" in responses_by_status["429"]["description"]
    assert responses_by_status["401"]["content"]["application/json"]["schema"] == {"$ref": ref("ErrorBody")}
    assert {"401", "411", "413"}.isdisjoint(merged["paths"]["/y"]["get"]["responses"])


def test_responses_document_x_request_id_and_retry_after() -> None:
    merged = merge({"balance": document("/balance", {"View": {}})}, URL)
    for item in merged["paths"].values():
        for status, response in item["get"]["responses"].items():
            assert "X-Request-ID" in response["headers"]
            assert ("Retry-After" in response["headers"]) == (status in {"429", "503"})


@pytest.mark.parametrize("times", [1, 2])
def test_merge_does_not_change_its_sources(times: int) -> None:
    documents = {"a": document("/a", {"View": {"x": 1}}), "b": document("/b", {"View": {"x": 2}})}
    before = copy.deepcopy(documents)
    results = [merge(documents, URL) for _ in range(times)]
    assert documents == before
    assert all(result == results[0] for result in results)
