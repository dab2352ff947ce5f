from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset






T = TypeVar("T", bound="CreateRequest")



@_attrs_define
class CreateRequest:
    """ The parameters of a new check.

        Attributes:
            amount (int): whole minor units, for example kopecks
            currency (str | Unset): default: `RUB`
            expires_in (int | Unset): lifetime in seconds; 7 days by default
            note (str | Unset): a note for the creator and the recipient
     """

    amount: int
    currency: str | Unset = UNSET
    expires_in: int | Unset = UNSET
    note: str | Unset = UNSET





    def to_dict(self) -> dict[str, Any]:
        amount = self.amount

        currency = self.currency

        expires_in = self.expires_in

        note = self.note


        field_dict: dict[str, Any] = {}

        field_dict.update({
            "amount": amount,
        })
        if currency is not UNSET:
            field_dict["currency"] = currency
        if expires_in is not UNSET:
            field_dict["expiresIn"] = expires_in
        if note is not UNSET:
            field_dict["note"] = note

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        amount = d.pop("amount")

        currency = d.pop("currency", UNSET)

        expires_in = d.pop("expiresIn", UNSET)

        note = d.pop("note", UNSET)

        create_request = cls(
            amount=amount,
            currency=currency,
            expires_in=expires_in,
            note=note,
        )

        return create_request

