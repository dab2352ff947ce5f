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






T = TypeVar("T", bound="ActiveCheck")



@_attrs_define
class ActiveCheck:
    """ An active check, as its creator sees it.

        Attributes:
            amount (int):
            code (str):
            created_at (datetime.datetime):
            currency (str):
            expiration (datetime.datetime):
            fastcheck (str):
            status (Literal['active']):
            code_change_required (bool | Unset): true after too many wrong codes: the check cannot be accepted until the
                code changes
            frozen_until (datetime.datetime | Unset): the check cannot be accepted until then
            note (str | Unset):
     """

    amount: int
    code: str
    created_at: datetime.datetime
    currency: str
    expiration: datetime.datetime
    fastcheck: str
    status: Literal['active']
    code_change_required: bool | Unset = UNSET
    frozen_until: datetime.datetime | Unset = UNSET
    note: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        amount = self.amount

        code = self.code

        created_at = self.created_at.isoformat()

        currency = self.currency

        expiration = self.expiration.isoformat()

        fastcheck = self.fastcheck

        status = self.status

        code_change_required = self.code_change_required

        frozen_until: str | Unset = UNSET
        if not isinstance(self.frozen_until, Unset):
            frozen_until = self.frozen_until.isoformat()

        note = self.note


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "amount": amount,
            "code": code,
            "createdAt": created_at,
            "currency": currency,
            "expiration": expiration,
            "fastcheck": fastcheck,
            "status": status,
        })
        if code_change_required is not UNSET:
            field_dict["codeChangeRequired"] = code_change_required
        if frozen_until is not UNSET:
            field_dict["frozenUntil"] = frozen_until
        if note is not UNSET:
            field_dict["note"] = note

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        amount = d.pop("amount")

        code = d.pop("code")

        created_at = datetime.datetime.fromisoformat(d.pop("createdAt"))




        currency = d.pop("currency")

        expiration = datetime.datetime.fromisoformat(d.pop("expiration"))




        fastcheck = d.pop("fastcheck")

        status = cast(Literal['active'] , d.pop("status"))
        if status != 'active':
            raise ValueError(f"status must match const 'active', got '{status}'")

        code_change_required = d.pop("codeChangeRequired", UNSET)

        _frozen_until = d.pop("frozenUntil", UNSET)
        frozen_until: datetime.datetime | Unset
        if isinstance(_frozen_until,  Unset):
            frozen_until = UNSET
        else:
            frozen_until = datetime.datetime.fromisoformat(_frozen_until)




        note = d.pop("note", UNSET)

        active_check = cls(
            amount=amount,
            code=code,
            created_at=created_at,
            currency=currency,
            expiration=expiration,
            fastcheck=fastcheck,
            status=status,
            code_change_required=code_change_required,
            frozen_until=frozen_until,
            note=note,
        )


        active_check.additional_properties = d
        return active_check

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
