from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.check_view_status import CheckViewStatus
from ..models.history_type import HistoryType
from ..types import UNSET, Unset
from typing import cast
import datetime






T = TypeVar("T", bound="CheckView")



@_attrs_define
class CheckView:
    """ A check as its creator or its acceptor sees it. Only the creator sees when and with which code it was created.

        Attributes:
            amount (int):
            currency (str):
            fastcheck (str):
            status (CheckViewStatus):
            type_ (HistoryType): The role of the reader of the history: creator or acceptor.
            accepted_at (datetime.datetime | Unset):
            cancelled_at (datetime.datetime | Unset):
            code (str | Unset): of an active check
            code_change_required (bool | Unset): true after too many wrong codes: the check cannot be accepted until the
                code changes
            created_at (datetime.datetime | Unset):
            expiration (datetime.datetime | Unset): of an active check
            expired_at (datetime.datetime | Unset):
            frozen_until (datetime.datetime | Unset): the check cannot be accepted until then
            note (str | Unset):
            used_at (datetime.datetime | Unset):
     """

    amount: int
    currency: str
    fastcheck: str
    status: CheckViewStatus
    type_: HistoryType
    accepted_at: datetime.datetime | Unset = UNSET
    cancelled_at: datetime.datetime | Unset = UNSET
    code: str | Unset = UNSET
    code_change_required: bool | Unset = UNSET
    created_at: datetime.datetime | Unset = UNSET
    expiration: datetime.datetime | Unset = UNSET
    expired_at: datetime.datetime | Unset = UNSET
    frozen_until: datetime.datetime | Unset = UNSET
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

        code = self.code

        code_change_required = self.code_change_required

        created_at: str | Unset = UNSET
        if not isinstance(self.created_at, Unset):
            created_at = self.created_at.isoformat()

        expiration: str | Unset = UNSET
        if not isinstance(self.expiration, Unset):
            expiration = self.expiration.isoformat()

        expired_at: str | Unset = UNSET
        if not isinstance(self.expired_at, Unset):
            expired_at = self.expired_at.isoformat()

        frozen_until: str | Unset = UNSET
        if not isinstance(self.frozen_until, Unset):
            frozen_until = self.frozen_until.isoformat()

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
        if code is not UNSET:
            field_dict["code"] = code
        if code_change_required is not UNSET:
            field_dict["codeChangeRequired"] = code_change_required
        if created_at is not UNSET:
            field_dict["createdAt"] = created_at
        if expiration is not UNSET:
            field_dict["expiration"] = expiration
        if expired_at is not UNSET:
            field_dict["expiredAt"] = expired_at
        if frozen_until is not UNSET:
            field_dict["frozenUntil"] = frozen_until
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

        status = CheckViewStatus(d.pop("status"))




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




        code = d.pop("code", UNSET)

        code_change_required = d.pop("codeChangeRequired", UNSET)

        _created_at = d.pop("createdAt", UNSET)
        created_at: datetime.datetime | Unset
        if isinstance(_created_at,  Unset):
            created_at = UNSET
        else:
            created_at = datetime.datetime.fromisoformat(_created_at)




        _expiration = d.pop("expiration", UNSET)
        expiration: datetime.datetime | Unset
        if isinstance(_expiration,  Unset):
            expiration = UNSET
        else:
            expiration = datetime.datetime.fromisoformat(_expiration)




        _expired_at = d.pop("expiredAt", UNSET)
        expired_at: datetime.datetime | Unset
        if isinstance(_expired_at,  Unset):
            expired_at = UNSET
        else:
            expired_at = datetime.datetime.fromisoformat(_expired_at)




        _frozen_until = d.pop("frozenUntil", UNSET)
        frozen_until: datetime.datetime | Unset
        if isinstance(_frozen_until,  Unset):
            frozen_until = UNSET
        else:
            frozen_until = datetime.datetime.fromisoformat(_frozen_until)




        note = d.pop("note", UNSET)

        _used_at = d.pop("usedAt", UNSET)
        used_at: datetime.datetime | Unset
        if isinstance(_used_at,  Unset):
            used_at = UNSET
        else:
            used_at = datetime.datetime.fromisoformat(_used_at)




        check_view = cls(
            amount=amount,
            currency=currency,
            fastcheck=fastcheck,
            status=status,
            type_=type_,
            accepted_at=accepted_at,
            cancelled_at=cancelled_at,
            code=code,
            code_change_required=code_change_required,
            created_at=created_at,
            expiration=expiration,
            expired_at=expired_at,
            frozen_until=frozen_until,
            note=note,
            used_at=used_at,
        )


        check_view.additional_properties = d
        return check_view

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
