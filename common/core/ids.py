"""Identifiers derived from their cause, which make operations idempotent."""

from typing import Final
from uuid import UUID, uuid5

#: The namespace of every derived id. Never change it: old causes would get new ids.
NAMESPACE: Final = UUID("6f0cf5d8-0a55-5d0c-9d3e-3c4b8f0f7a11")


def derived_id(kind: str, *causes: UUID | str) -> UUID:
    """Return the id (UUIDv5, RFC 9562) of the one object of this ``kind`` that the causes produce."""
    return uuid5(NAMESPACE, "|".join((kind, *map(str, causes))))
