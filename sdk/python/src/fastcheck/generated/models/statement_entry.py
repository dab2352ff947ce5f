from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.transfer_kind import TransferKind
from ..types import UNSET, Unset
from typing import cast
import datetime






T = TypeVar("T", bound="StatementEntry")



@_attrs_define
class StatementEntry:
    """ One change of the balance; ``amount`` is signed.

        Attributes:
            amount (int):
            balance_after (int):
            created_at (datetime.datetime):
            currency (str):
            entry_id (str):
            kind (TransferKind): Why money moved, as the public statement shows it.
            fastcheck (str | Unset):
            transaction_id (str | Unset):
     """

    amount: int
    balance_after: int
    created_at: datetime.datetime
    currency: str
    entry_id: str
    kind: TransferKind
    fastcheck: str | Unset = UNSET
    transaction_id: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        amount = self.amount

        balance_after = self.balance_after

        created_at = self.created_at.isoformat()

        currency = self.currency

        entry_id = self.entry_id

        kind = self.kind.value

        fastcheck = self.fastcheck

        transaction_id = self.transaction_id


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "amount": amount,
            "balanceAfter": balance_after,
            "createdAt": created_at,
            "currency": currency,
            "entryID": entry_id,
            "kind": kind,
        })
        if fastcheck is not UNSET:
            field_dict["fastcheck"] = fastcheck
        if transaction_id is not UNSET:
            field_dict["transactionID"] = transaction_id

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        amount = d.pop("amount")

        balance_after = d.pop("balanceAfter")

        created_at = datetime.datetime.fromisoformat(d.pop("createdAt"))




        currency = d.pop("currency")

        entry_id = d.pop("entryID")

        kind = TransferKind(d.pop("kind"))




        fastcheck = d.pop("fastcheck", UNSET)

        transaction_id = d.pop("transactionID", UNSET)

        statement_entry = cls(
            amount=amount,
            balance_after=balance_after,
            created_at=created_at,
            currency=currency,
            entry_id=entry_id,
            kind=kind,
            fastcheck=fastcheck,
            transaction_id=transaction_id,
        )


        statement_entry.additional_properties = d
        return statement_entry

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
