from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.ending import Ending
from ..models.history_type import HistoryType
from ..types import UNSET, Unset
from typing import cast
import datetime






T = TypeVar("T", bound="HistoryCheck")



@_attrs_define
class HistoryCheck:
    """ An ended check. The field named after its status holds the time of its end.

        Attributes:
            amount (int):
            currency (str):
            fastcheck (str):
            status (Ending): How a check ended, in the terms of the public API.
            type_ (HistoryType): The role of the reader of the history: creator or acceptor.
            accepted_at (datetime.datetime | Unset):
            cancelled_at (datetime.datetime | Unset):
            created_at (datetime.datetime | Unset):
            expired_at (datetime.datetime | Unset):
            note (str | Unset):
            used_at (datetime.datetime | Unset):
     """

    amount: int
    currency: str
    fastcheck: str
    status: Ending
    type_: HistoryType
    accepted_at: datetime.datetime | Unset = UNSET
    cancelled_at: datetime.datetime | Unset = UNSET
    created_at: datetime.datetime | Unset = UNSET
    expired_at: datetime.datetime | Unset = UNSET
    note: str | Unset = UNSET
    used_at: datetime.datetime | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        amount = self.amount

        currency = self.currency

        fastcheck = self.fastcheck

        status = self.status.value

        type_ = self.type_.value

        accepted_at: str | Unset = UNSET
        if not isinstance(self.accepted_at, Unset):
            accepted_at = self.accepted_at.isoformat()

        cancelled_at: str | Unset = UNSET
        if not isinstance(self.cancelled_at, Unset):
            cancelled_at = self.cancelled_at.isoformat()

        created_at: str | Unset = UNSET
        if not isinstance(self.created_at, Unset):
            created_at = self.created_at.isoformat()

        expired_at: str | Unset = UNSET
        if not isinstance(self.expired_at, Unset):
            expired_at = self.expired_at.isoformat()

        note = self.note

        used_at: str | Unset = UNSET
        if not isinstance(self.used_at, Unset):
            used_at = self.used_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "amount": amount,
            "currency": currency,
            "fastcheck": fastcheck,
            "status": status,
            "type": type_,
        })
        if accepted_at is not UNSET:
            field_dict["acceptedAt"] = accepted_at
        if cancelled_at is not UNSET:
            field_dict["cancelledAt"] = cancelled_at
        if created_at is not UNSET:
            field_dict["createdAt"] = created_at
        if expired_at is not UNSET:
            field_dict["expiredAt"] = expired_at
        if note is not UNSET:
            field_dict["note"] = note
        if used_at is not UNSET:
            field_dict["usedAt"] = used_at

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        amount = d.pop("amount")

        currency = d.pop("currency")

        fastcheck = d.pop("fastcheck")

        status = Ending(d.pop("status"))




        type_ = HistoryType(d.pop("type"))




        _accepted_at = d.pop("acceptedAt", UNSET)
        accepted_at: datetime.datetime | Unset
        if isinstance(_accepted_at,  Unset):
            accepted_at = UNSET
        else:
            accepted_at = datetime.datetime.fromisoformat(_accepted_at)




        _cancelled_at = d.pop("cancelledAt", UNSET)
        cancelled_at: datetime.datetime | Unset
        if isinstance(_cancelled_at,  Unset):
            cancelled_at = UNSET
        else:
            cancelled_at = datetime.datetime.fromisoformat(_cancelled_at)




        _created_at = d.pop("createdAt", UNSET)
        created_at: datetime.datetime | Unset
        if isinstance(_created_at,  Unset):
            created_at = UNSET
        else:
            created_at = datetime.datetime.fromisoformat(_created_at)




        _expired_at = d.pop("expiredAt", UNSET)
        expired_at: datetime.datetime | Unset
        if isinstance(_expired_at,  Unset):
            expired_at = UNSET
        else:
            expired_at = datetime.datetime.fromisoformat(_expired_at)




        note = d.pop("note", UNSET)

        _used_at = d.pop("usedAt", UNSET)
        used_at: datetime.datetime | Unset
        if isinstance(_used_at,  Unset):
            used_at = UNSET
        else:
            used_at = datetime.datetime.fromisoformat(_used_at)




        history_check = cls(
            amount=amount,
            currency=currency,
            fastcheck=fastcheck,
            status=status,
            type_=type_,
            accepted_at=accepted_at,
            cancelled_at=cancelled_at,
            created_at=created_at,
            expired_at=expired_at,
            note=note,
            used_at=used_at,
        )


        history_check.additional_properties = d
        return history_check

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
