"""JSON schemas of the HTTP models, as OpenAPI needs them: an optional field is absent, never null."""

from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class AbsentNotNull(GenerateJsonSchema):
    """Describe what is on the wire.

    pydantic documents a field ``x: str | None = None`` as a string or null with the default null. Requests do not send
    null and responses omit such a field, so its schema is that of a string that is not required. A response has every
    field that has another default. A response may get new fields, so its schema allows more than those that it names.
    Defaults are told in words: code generators require a property that has a default.
    """

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Return the schema of the value without null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema with its default if that matters to the client: in a request, and not None."""
        if self.mode == "serialization" or self.get_default_value(schema) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,
    ) -> bool:
        """Return whether the field is always present."""
        inner = field["schema"]
        if self.mode == "serialization" and inner["type"] == "default":
            return self.get_default_value(cast("core_schema.WithDefaultSchema", inner)) is not None
        return super().field_is_required(field, total)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Return the schema of a model; that of a response is open to fields that later versions add."""
        result: dict[str, Any] = super().model_schema(schema)
        for field in result.get("properties", {}).values():
            if "default" in field:
                text = f"{field['description']}; " if "description" in field else ""
                field["description"] = f"{text}default: `{field.pop('default')}`"
        if self.mode == "serialization" and result.get("additionalProperties") is False:
            del result["additionalProperties"]
        return result

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  the signature of pydantic
        """Return False: a title that repeats the name says nothing."""
        return False
