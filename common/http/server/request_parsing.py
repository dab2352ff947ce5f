"""Parse requests into the models that views declare, or reject them with one 400 that names each field."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, get_type_hints

from pydantic import BaseModel, ValidationError
from werkzeug import Request as WerkzeugRequest

from common.core.errors import InvalidRequest
from common.http.server.request import Request
from common.http.server.request_body import read_body

#: The class of the model of each argument, by the argument's name.
Models = Mapping[str, type[BaseModel]]

#: pydantic's error types in the wording of the public API.
_SENTENCES: Final[dict[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "int_from_float": "must be an integer",
    "int_parsing_size": "is too large",
    "string_type": "must be a string",
    "string_pattern_mismatch": "is not of the right form",
    "greater_than": "must be a positive integer",
    "uuid_parsing": "is not an id",
    "json_invalid": "is not valid JSON",
    "model_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
}


def models_of(view: Callable[..., Any]) -> Models:
    """Return the models among the view's parameters ``header``, ``path``, ``query`` and ``body``."""
    hints = get_type_hints(view)
    return {name: hint for name, hint in hints.items() if name in _PARSERS and issubclass(hint, BaseModel)}


def parse(models: Models, request: Request, path_values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parsed models by name; raises InvalidRequest with the fields at fault.

    flask-openapi3's own validation computes a JSON schema per request, so it is not used.
    """
    try:
        return {name: _PARSERS[name](model, request, path_values) for name, model in models.items()}
    except ValidationError as error:
        raise InvalidRequest(errors=field_errors(error)) from None


def field_errors(error: ValidationError) -> dict[str, str]:
    """Return a sentence per invalid field, for ``errors`` of the public API."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False, include_input=False, include_context=True):
        field = ".".join(str(part) for part in item["loc"]) or "body"
        found.setdefault(field, _sentence(item["type"], item["msg"], item.get("ctx") or {}))
    return found


def _sentence(kind: str, message: str, context: dict[str, Any]) -> str:
    if kind in ("less_than_equal", "greater_than_equal"):
        word = "at most" if kind == "less_than_equal" else "at least"
        return f"must be {word} {context[kind.replace('less_than_equal', 'le').replace('greater_than_equal', 'ge')]}"
    if kind in ("string_too_short", "string_too_long"):
        word, bound = ("at least", "min_length") if kind == "string_too_short" else ("at most", "max_length")
        return f"must have {word} {context[bound]} characters"
    if kind == "value_error":
        return str(context.get("error", message))
    return _SENTENCES.get(kind, message.lower())


def _body(model: type[BaseModel], request: Request, _path_values: Mapping[str, Any]) -> BaseModel:
    body = read_body(request) or b"null"
    parsed = model.model_validate_json(body)
    # pydantic takes the last of several members with one name; another reader of the same text may take the first.
    json.loads(body.decode(), object_pairs_hook=_reject_repeated_names)
    return parsed


def _reject_repeated_names(pairs: list[tuple[str, Any]]) -> None:
    names: set[str] = set()
    for name, _value in pairs:
        if name in names:
            raise InvalidRequest(errors={name: "is given more than once"})
        names.add(name)


def _query(model: type[BaseModel], request: Request, _path_values: Mapping[str, Any]) -> BaseModel:
    environ = request.environ
    return model.model_validate(WerkzeugRequest(environ).args.to_dict() if environ["QUERY_STRING"] else {})


def _path(model: type[BaseModel], _request: Request, path_values: Mapping[str, Any]) -> BaseModel:
    return model.model_validate(path_values)


def _header(model: type[BaseModel], request: Request, _path_values: Mapping[str, Any]) -> BaseModel:
    environ = request.environ
    return model.model_validate({name: environ[key] for name, key in _wsgi_names(model) if key in environ})


@cache
def _wsgi_names(model: type[BaseModel]) -> list[tuple[str, str]]:
    names = [field.alias or name for name, field in model.model_fields.items()]
    return [(name, f"HTTP_{name.upper().replace('-', '_')}") for name in names]


_PARSERS: Final = {"header": _header, "path": _path, "query": _query, "body": _body}
