"""HTTP in: turn a request into the models that a view asks for, or into one clear 400."""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Final, TypeVar, cast, get_type_hints

from pydantic import BaseModel, ValidationError
from werkzeug import Request

from common.core.errors import InvalidRequest
from common.http.server.body import read_body
from common.http.server.exchange import Answer, current

View = TypeVar("View", bound=Callable[..., Any])

#: pydantic's kinds of failure, in the words of the public API.
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


def parsed(view: View) -> View:
    """Give the view its ``body``, ``query``, ``path`` and ``header`` arguments, parsed into their annotated models.

    flask-openapi3 documents a view from the same annotations. Its own validation is not used: it runs
    before the caller is known, and computes a JSON schema for each request.
    """
    models: dict[str, type[BaseModel]] = {
        name: hint
        for name, hint in get_type_hints(view).items()
        if name in ("body", "query", "path", "header") and issubclass(hint, BaseModel)
    }

    @wraps(view)
    def parse_and_call(**path_values: Any) -> Any:
        try:
            arguments = {name: _SOURCES[name](model, path_values) for name, model in models.items()}
        except ValidationError as error:
            raise InvalidRequest(errors=sentences(error)) from None
        return view(**arguments)

    parse_and_call.__delay_validate_request__ = True  # type: ignore[attr-defined]
    return cast("View", parse_and_call)


def sentences(error: ValidationError) -> dict[str, str]:
    """Field -> what is wrong with it, for the ``errors`` of the public API."""
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


def _body(model: type[BaseModel], _path: dict[str, Any]) -> BaseModel:
    return model.model_validate_json(read_body() or b"null")


def _query(model: type[BaseModel], _path: dict[str, Any]) -> BaseModel:
    environ = current().environ
    return model.model_validate(Request(environ).args.to_dict() if environ["QUERY_STRING"] else {})


def _path(model: type[BaseModel], path: dict[str, Any]) -> BaseModel:
    return model.model_validate(path)


def _header(model: type[BaseModel], _path: dict[str, Any]) -> BaseModel:
    environ = current().environ
    return model.model_validate({name: environ[key] for name, key in _wsgi_names(model) if key in environ})


@cache
def _wsgi_names(model: type[BaseModel]) -> list[tuple[str, str]]:
    names = [field.alias or name for name, field in model.model_fields.items()]
    return [(name, f"HTTP_{name.upper().replace('-', '_')}") for name in names]


_SOURCES: Final = {"body": _body, "query": _query, "path": _path, "header": _header}


def render(model: BaseModel, status: int = 200) -> Answer:
    """HTTP out: the model as JSON; None is left out."""
    body = model.model_dump_json(by_alias=True, exclude_none=True).encode()
    return Answer(status, body, {"Content-Type": "application/json"})
