from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from typing import Literal, cast
import datetime






T = TypeVar("T", bound="StartedTopUp")



@_attrs_define
class StartedTopUp:
    """ A started top-up. The user pays at ``paymentUrl``; the bank then sends the browser to ``returnUrl``.

        Attributes:
            amount (int):
            created_at (datetime.datetime):
            currency (str):
            payment_url (str):
            status (Literal['pending']):
            transaction_id (str):
     """

    amount: int
    created_at: datetime.datetime
    currency: str
    payment_url: str
    status: Literal['pending']
    transaction_id: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        amount = self.amount

        created_at = self.created_at.isoformat()

        currency = self.currency

        payment_url = self.payment_url

        status = self.status

        transaction_id = self.transaction_id


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "amount": amount,
            "createdAt": created_at,
            "currency": currency,
            "paymentUrl": payment_url,
            "status": status,
            "transactionID": transaction_id,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        amount = d.pop("amount")

        created_at = datetime.datetime.fromisoformat(d.pop("createdAt"))




        currency = d.pop("currency")

        payment_url = d.pop("paymentUrl")

        status = cast(Literal['pending'] , d.pop("status"))
        if status != 'pending':
            raise ValueError(f"status must match const 'pending', got '{status}'")

        transaction_id = d.pop("transactionID")

        started_top_up = cls(
            amount=amount,
            created_at=created_at,
            currency=currency,
            payment_url=payment_url,
            status=status,
            transaction_id=transaction_id,
        )


        started_top_up.additional_properties = d
        return started_top_up

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
