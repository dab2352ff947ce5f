from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="ListedSessionView")



@_attrs_define
class ListedSessionView:
    """ An active session. Its ``id`` names it for ``DELETE /sessions/{id}`` and cannot be used to sign in.

        Attributes:
            created_at (datetime.datetime):
            current (bool): whether this request was sent with it
            expires_at (datetime.datetime):
            id (UUID):
            last_used_at (datetime.datetime):
            device (str | Unset): browser and system at sign-in
     """

    created_at: datetime.datetime
    current: bool
    expires_at: datetime.datetime
    id: UUID
    last_used_at: datetime.datetime
    device: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        created_at = self.created_at.isoformat()

        current = self.current

        expires_at = self.expires_at.isoformat()

        id = str(self.id)

        last_used_at = self.last_used_at.isoformat()

        device = self.device


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "createdAt": created_at,
            "current": current,
            "expiresAt": expires_at,
            "id": id,
            "lastUsedAt": last_used_at,
        })
        if device is not UNSET:
            field_dict["device"] = device

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        created_at = datetime.datetime.fromisoformat(d.pop("createdAt"))




        current = d.pop("current")

        expires_at = datetime.datetime.fromisoformat(d.pop("expiresAt"))




        id = UUID(d.pop("id"))




        last_used_at = datetime.datetime.fromisoformat(d.pop("lastUsedAt"))




        device = d.pop("device", UNSET)

        listed_session_view = cls(
            created_at=created_at,
            current=current,
            expires_at=expires_at,
            id=id,
            last_used_at=last_used_at,
            device=device,
        )


        listed_session_view.additional_properties = d
        return listed_session_view

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
