"""Secrets in files: ``FASTCHECK_X_FILE`` names the file that holds the value of ``FASTCHECK_X``.

An empty file counts as a variable that is not set. Docker, Kubernetes and systemd mount secrets as files.
"""

import os
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

SUFFIX: Final = "_FILE"


class UnreadableSecret(ValueError):
    """The file that a variable names cannot be read, or the value is given twice."""


def read_variable(name: str) -> str:
    """Return the value of a variable or of its file, empty if neither is set; raise UnreadableSecret."""
    value, path = os.environ.get(name, ""), os.environ.get(name + SUFFIX, "")
    if not path:
        return value
    if value:
        raise UnreadableSecret(f"{name} and {name}{SUFFIX} are both set: keep one of them")
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UnreadableSecret(f"{name}{SUFFIX}: {path} cannot be read: {reason}") from error


class SecretFilesSource(PydanticBaseSettingsSource):
    """Reads the fields of a settings class whose file variables are set."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Return the value, None if the field has no file."""
        name = f"{self.config.get('env_prefix', '')}{field_name}".upper()
        value = read_variable(name) if name + SUFFIX in os.environ else ""
        return value or None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values of all fields that have one."""
        found: dict[str, Any] = {}
        for field_name, field in self.settings_cls.model_fields.items():
            value, key, is_complex = self.get_field_value(field, field_name)
            if value is not None:
                found[key] = self.prepare_field_value(field_name, field, value, is_complex)
        return found
