from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset







T = TypeVar("T", bound="PasswordChange")



@_attrs_define
class PasswordChange:
    """ 
        Attributes:
            new_password (str):
            old_password (str):
     """

    new_password: str
    old_password: str





    def to_dict(self) -> dict[str, Any]:
        new_password = self.new_password

        old_password = self.old_password


        field_dict: dict[str, Any] = {}

        field_dict.update({
            "newPassword": new_password,
            "oldPassword": old_password,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        new_password = d.pop("newPassword")

        old_password = d.pop("oldPassword")

        password_change = cls(
            new_password=new_password,
            old_password=old_password,
        )

        return password_change

