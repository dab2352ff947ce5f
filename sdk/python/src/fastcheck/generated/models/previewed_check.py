from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
from typing import Literal, cast
import datetime






T = TypeVar("T", bound="PreviewedCheck")



@_attrs_define
class PreviewedCheck:
    """ What the caller would receive.

        Attributes:
            amount (int):
            currency (str):
            expiration (datetime.datetime):
            fastcheck (str):
            status (Literal['active']):
            note (str | Unset):
     """

    amount: int
    currency: str
    expiration: datetime.datetime
    fastcheck: str
    status: Literal['active']
    note: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        amount = self.amount

        currency = self.currency

        expiration = self.expiration.isoformat()

        fastcheck = self.fastcheck

        status = self.status

        note = self.note


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "amount": amount,
            "currency": currency,
            "expiration": expiration,
            "fastcheck": fastcheck,
            "status": status,
        })
        if note is not UNSET:
            field_dict["note"] = note

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        amount = d.pop("amount")

        currency = d.pop("currency")

        expiration = datetime.datetime.fromisoformat(d.pop("expiration"))




        fastcheck = d.pop("fastcheck")

        status = cast(Literal['active'] , d.pop("status"))
        if status != 'active':
            raise ValueError(f"status must match const 'active', got '{status}'")

        note = d.pop("note", UNSET)

        previewed_check = cls(
            amount=amount,
            currency=currency,
            expiration=expiration,
            fastcheck=fastcheck,
            status=status,
            note=note,
        )


        previewed_check.additional_properties = d
        return previewed_check

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
