from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset







T = TypeVar("T", bound="NumberAndCode")



@_attrs_define
class NumberAndCode:
    """ What a recipient enters to preview or accept a check.

        Attributes:
            code (str): the secret code of a check
            fastcheck (str): the number of a check, as 1234-5678-0001
     """

    code: str
    fastcheck: str





    def to_dict(self) -> dict[str, Any]:
        code = self.code

        fastcheck = self.fastcheck


        field_dict: dict[str, Any] = {}

        field_dict.update({
            "code": code,
            "fastcheck": fastcheck,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        code = d.pop("code")

        fastcheck = d.pop("fastcheck")

        number_and_code = cls(
            code=code,
            fastcheck=fastcheck,
        )

        return number_and_code

