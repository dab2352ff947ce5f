from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.event_type import EventType
from ..models.webhook_status import WebhookStatus
from ..types import UNSET, Unset
from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="WebhookView")



@_attrs_define
class WebhookView:
    """ A webhook of the user. A disabled one gets no events; ``notice`` says why.

        Attributes:
            created_at (datetime.datetime):
            events (list[EventType]):
            id (UUID):
            status (WebhookStatus): A disabled webhook gets no events.
            url (str):
            disabled_at (datetime.datetime | Unset):
            notice (str | Unset):
     """

    created_at: datetime.datetime
    events: list[EventType]
    id: UUID
    status: WebhookStatus
    url: str
    disabled_at: datetime.datetime | Unset = UNSET
    notice: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        created_at = self.created_at.isoformat()

        events = []
        for events_item_data in self.events:
            events_item = events_item_data.value
            events.append(events_item)



        id = str(self.id)

        status = self.status.value

        url = self.url

        disabled_at: str | Unset = UNSET
        if not isinstance(self.disabled_at, Unset):
            disabled_at = self.disabled_at.isoformat()

        notice = self.notice


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "createdAt": created_at,
            "events": events,
            "id": id,
            "status": status,
            "url": url,
        })
        if disabled_at is not UNSET:
            field_dict["disabledAt"] = disabled_at
        if notice is not UNSET:
            field_dict["notice"] = notice

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        created_at = datetime.datetime.fromisoformat(d.pop("createdAt"))




        events = []
        _events = d.pop("events")
        for events_item_data in (_events):
            events_item = EventType(events_item_data)



            events.append(events_item)


        id = UUID(d.pop("id"))




        status = WebhookStatus(d.pop("status"))




        url = d.pop("url")

        _disabled_at = d.pop("disabledAt", UNSET)
        disabled_at: datetime.datetime | Unset
        if isinstance(_disabled_at,  Unset):
            disabled_at = UNSET
        else:
            disabled_at = datetime.datetime.fromisoformat(_disabled_at)




        notice = d.pop("notice", UNSET)

        webhook_view = cls(
            created_at=created_at,
            events=events,
            id=id,
            status=status,
            url=url,
            disabled_at=disabled_at,
            notice=notice,
        )


        webhook_view.additional_properties = d
        return webhook_view

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
