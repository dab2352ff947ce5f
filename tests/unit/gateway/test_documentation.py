"""Putting the services' documents together."""

import copy
from typing import Any

import pytest

from services.gateway.documentation import merge

URL = "https://api.fastcheck.test"
ERROR = {"type": "object", "properties": {"message": {"type": "string"}}}


def document(path: str, schemas: dict[str, Any], **operation: Any) -> dict[str, Any]:
    answer = {"200": {"description": "OK", "content": {"application/json": {"schema": {"$ref": ref("View")}}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "a service", "version": "1"},
        "tags": [{"name": "Money"}],
        "paths": {path: {"get": {"responses": answer, **operation}}},
        "components": {"schemas": {"ErrorBody": ERROR, **schemas}},
    }


def ref(name: str) -> str:
    return f"#/components/schemas/{name}"


def test_paths_and_schemas_of_all_services_are_there_and_equal_ones_once() -> None:
    merged = merge(
        {"balance": document("/balance", {"View": {"type": "integer"}}), "checks": document("/fastcheck", {})}, URL
    )
    assert set(merged["paths"]) == {"/balance", "/fastcheck", "/healthz"}
    assert merged["components"]["schemas"] == {"ErrorBody": ERROR, "View": {"type": "integer"}}
    assert [server["url"] for server in merged["servers"]] == ["/", URL]
    assert merged["tags"] == [{"name": "Money"}]
    assert merged["components"]["securitySchemes"]["session"]["name"] == "Authorization"


def test_schemas_that_only_share_a_name_are_kept_apart_with_all_that_refers_to_them() -> None:
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
    answers = {path: item["get"]["responses"]["200"] for path, item in merged["paths"].items() if path != "/healthz"}
    refs = {path: answer["content"]["application/json"]["schema"]["$ref"] for path, answer in answers.items()}
    assert refs == {"/balance": ref("View"), "/pay": ref("SandboxBankView")}


def test_a_schema_that_refers_to_one_of_another_meaning_is_another_one_too() -> None:
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


def test_internal_routes_stay_inside() -> None:
    merged = merge({"balance": document("/internal/holds", {})}, URL)
    assert set(merged["paths"]) == {"/healthz"}


def test_what_the_gateway_answers_is_added_where_it_is_missing() -> None:
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
    answers = merged["paths"]["/x"]["get"]["responses"]
    assert set(answers) == {"200", "400", "401", "413", "429", "500", "503"}
    assert "`too_many_requests`" in answers["429"]["description"]
    assert answers["401"]["content"]["application/json"]["schema"] == {"$ref": ref("ErrorBody")}
    assert {"401", "413"}.isdisjoint(merged["paths"]["/y"]["get"]["responses"])


def test_every_answer_bears_its_request_id_and_who_must_wait_is_told_how_long() -> None:
    merged = merge({"balance": document("/balance", {"View": {}})}, URL)
    for item in merged["paths"].values():
        for status, answer in item["get"]["responses"].items():
            assert "X-Request-ID" in answer["headers"]
            assert ("Retry-After" in answer["headers"]) == (status in {"429", "503"})


@pytest.mark.parametrize("times", [1, 2])
def test_merging_leaves_its_sources_as_they_were(times: int) -> None:
    documents = {"a": document("/a", {"View": {"x": 1}}), "b": document("/b", {"View": {"x": 2}})}
    before = copy.deepcopy(documents)
    results = [merge(documents, URL) for _ in range(times)]
    assert documents == before
    assert all(result == results[0] for result in results)
