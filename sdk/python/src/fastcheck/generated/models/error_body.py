from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast

if TYPE_CHECKING:
  from ..models.error_body_errors import ErrorBodyErrors





T = TypeVar("T", bound="ErrorBody")



@_attrs_define
class ErrorBody:
    """ An error: a sentence for people, a code for programs, and the fields at fault.

    The response to a missing, unknown, expired or ended session has no code: ``{"message": "not authorized"}``.

        Attributes:
            message (str):
            code (str | Unset):
            errors (ErrorBodyErrors | Unset): a sentence per field at fault
     """

    message: str
    code: str | Unset = UNSET
    errors: ErrorBodyErrors | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.error_body_errors import ErrorBodyErrors # noqa: PLC0415
        message = self.message

        code = self.code

        errors: dict[str, Any] | Unset = UNSET
        if not isinstance(self.errors, Unset):
            errors = self.errors.to_dict()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "message": message,
        })
        if code is not UNSET:
            field_dict["code"] = code
        if errors is not UNSET:
            field_dict["errors"] = errors

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.error_body_errors import ErrorBodyErrors # noqa: PLC0415
        d = dict(src_dict)
        message = d.pop("message")

        code = d.pop("code", UNSET)

        _errors = d.pop("errors", UNSET)
        errors: ErrorBodyErrors | Unset
        if isinstance(_errors,  Unset):
            errors = UNSET
        else:
            errors = ErrorBodyErrors.from_dict(_errors)




        error_body = cls(
            message=message,
            code=code,
            errors=errors,
        )


        error_body.additional_properties = d
        return error_body

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
