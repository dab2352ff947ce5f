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






T = TypeVar("T", bound="CancelledCheck")



@_attrs_define
class CancelledCheck:
    """ A check whose money is released to the creator.

        Attributes:
            amount (int):
            cancelled_at (datetime.datetime):
            created_at (datetime.datetime):
            currency (str):
            fastcheck (str):
            status (Literal['cancelled']):
            note (str | Unset):
     """

    amount: int
    cancelled_at: datetime.datetime
    created_at: datetime.datetime
    currency: str
    fastcheck: str
    status: Literal['cancelled']
    note: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        amount = self.amount

        cancelled_at = self.cancelled_at.isoformat()

        created_at = self.created_at.isoformat()

        currency = self.currency

        fastcheck = self.fastcheck

        status = self.status

        note = self.note


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "amount": amount,
            "cancelledAt": cancelled_at,
            "createdAt": created_at,
            "currency": currency,
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

        cancelled_at = datetime.datetime.fromisoformat(d.pop("cancelledAt"))




        created_at = datetime.datetime.fromisoformat(d.pop("createdAt"))




        currency = d.pop("currency")

        fastcheck = d.pop("fastcheck")

        status = cast(Literal['cancelled'] , d.pop("status"))
        if status != 'cancelled':
            raise ValueError(f"status must match const 'cancelled', got '{status}'")

        note = d.pop("note", UNSET)

        cancelled_check = cls(
            amount=amount,
            cancelled_at=cancelled_at,
            created_at=created_at,
            currency=currency,
            fastcheck=fastcheck,
            status=status,
            note=note,
        )


        cancelled_check.additional_properties = d
        return cancelled_check

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
