"""The types of requests and responses, generated from the OpenAPI document."""

from fastcheck.generated.models import *  # noqa: F403
from fastcheck.generated.models import __all__ as __all__  # noqa: PLC0414  exported again
