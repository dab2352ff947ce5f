from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from typing import Literal, cast
import datetime






T = TypeVar("T", bound="AcceptedCheck")



@_attrs_define
class AcceptedCheck:
    """ A check that the caller has accepted.

        Attributes:
            accepted_at (datetime.datetime):
            amount (int):
            currency (str):
            fastcheck (str):
            status (Literal['used']):
     """

    accepted_at: datetime.datetime
    amount: int
    currency: str
    fastcheck: str
    status: Literal['used']
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        accepted_at = self.accepted_at.isoformat()

        amount = self.amount

        currency = self.currency

        fastcheck = self.fastcheck

        status = self.status


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "acceptedAt": accepted_at,
            "amount": amount,
            "currency": currency,
            "fastcheck": fastcheck,
            "status": status,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        accepted_at = datetime.datetime.fromisoformat(d.pop("acceptedAt"))




        amount = d.pop("amount")

        currency = d.pop("currency")

        fastcheck = d.pop("fastcheck")

        status = cast(Literal['used'] , d.pop("status"))
        if status != 'used':
            raise ValueError(f"status must match const 'used', got '{status}'")

        accepted_check = cls(
            accepted_at=accepted_at,
            amount=amount,
            currency=currency,
            fastcheck=fastcheck,
            status=status,
        )


        accepted_check.additional_properties = d
        return accepted_check

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
