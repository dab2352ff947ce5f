from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset






T = TypeVar("T", bound="TopUpRequest")



@_attrs_define
class TopUpRequest:
    """ 
        Attributes:
            amount (int): whole minor units, for example kopecks
            return_url (str):
            currency (str | Unset): default: `RUB`
     """

    amount: int
    return_url: str
    currency: str | Unset = UNSET





    def to_dict(self) -> dict[str, Any]:
        amount = self.amount

        return_url = self.return_url

        currency = self.currency


        field_dict: dict[str, Any] = {}

        field_dict.update({
            "amount": amount,
            "returnUrl": return_url,
        })
        if currency is not UNSET:
            field_dict["currency"] = currency

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        amount = d.pop("amount")

        return_url = d.pop("returnUrl")

        currency = d.pop("currency", UNSET)

        top_up_request = cls(
            amount=amount,
            return_url=return_url,
            currency=currency,
        )

        return top_up_request

