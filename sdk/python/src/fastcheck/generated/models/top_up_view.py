from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.top_up_view_status import TopUpViewStatus
from ..types import UNSET, Unset
from typing import cast
import datetime






T = TypeVar("T", bound="TopUpView")



@_attrs_define
class TopUpView:
    """ 
        Attributes:
            amount (int):
            created_at (datetime.datetime):
            currency (str):
            status (TopUpViewStatus):
            transaction_id (str):
            confirmed_at (datetime.datetime | Unset):
            payment_url (str | Unset): while the top-up can be paid; lists do not have it
     """

    amount: int
    created_at: datetime.datetime
    currency: str
    status: TopUpViewStatus
    transaction_id: str
    confirmed_at: datetime.datetime | Unset = UNSET
    payment_url: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        amount = self.amount

        created_at = self.created_at.isoformat()

        currency = self.currency

        status = self.status.value

        transaction_id = self.transaction_id

        confirmed_at: str | Unset = UNSET
        if not isinstance(self.confirmed_at, Unset):
            confirmed_at = self.confirmed_at.isoformat()

        payment_url = self.payment_url


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "amount": amount,
            "createdAt": created_at,
            "currency": currency,
            "status": status,
            "transactionID": transaction_id,
        })
        if confirmed_at is not UNSET:
            field_dict["confirmedAt"] = confirmed_at
        if payment_url is not UNSET:
            field_dict["paymentUrl"] = payment_url

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        amount = d.pop("amount")

        created_at = datetime.datetime.fromisoformat(d.pop("createdAt"))




        currency = d.pop("currency")

        status = TopUpViewStatus(d.pop("status"))




        transaction_id = d.pop("transactionID")

        _confirmed_at = d.pop("confirmedAt", UNSET)
        confirmed_at: datetime.datetime | Unset
        if isinstance(_confirmed_at,  Unset):
            confirmed_at = UNSET
        else:
            confirmed_at = datetime.datetime.fromisoformat(_confirmed_at)




        payment_url = d.pop("paymentUrl", UNSET)

        top_up_view = cls(
            amount=amount,
            created_at=created_at,
            currency=currency,
            status=status,
            transaction_id=transaction_id,
            confirmed_at=confirmed_at,
            payment_url=payment_url,
        )


        top_up_view.additional_properties = d
        return top_up_view

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
