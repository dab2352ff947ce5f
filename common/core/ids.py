"""Identifiers that the cause determines, so that doing a thing twice is doing it once."""

from typing import Final
from uuid import UUID, uuid5

#: The root of every derived id. Changing it would make old causes look new: never change it.
NAMESPACE: Final = UUID("6f0cf5d8-0a55-5d0c-9d3e-3c4b8f0f7a11")


def derived_id(kind: str, *causes: UUID | str) -> UUID:
    """The id of the one thing of this ``kind`` that these causes can ever bring about (UUIDv5, RFC 9562)."""
    return uuid5(NAMESPACE, "|".join((kind, *map(str, causes))))
