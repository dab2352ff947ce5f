from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.ending import Ending
from ...models.error_body import ErrorBody
from ...models.history_list import HistoryList
from ...models.history_type import HistoryType
from ...types import UNSET, Unset
from typing import cast
import datetime



def _get_kwargs(
    *,
    limit: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    type_: HistoryType | Unset = UNSET,
    status: Ending | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(if_none_match, Unset):
        headers["If-None-Match"] = if_none_match



    

    params: dict[str, Any] = {}

    params["limit"] = limit

    params["cursor"] = cursor

    json_from_: str | Unset = UNSET
    if not isinstance(from_, Unset):
        json_from_ = from_.isoformat()
    params["from"] = json_from_

    json_to: str | Unset = UNSET
    if not isinstance(to, Unset):
        json_to = to.isoformat()
    params["to"] = json_to

    json_type_: str | Unset = UNSET
    if not isinstance(type_, Unset):
        json_type_ = type_.value

    params["type"] = json_type_

    json_status: str | Unset = UNSET
    if not isinstance(status, Unset):
        json_status = status.value

    params["status"] = json_status


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/fastcheck/history",
        "params": params,
    }


    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Any | ErrorBody | HistoryList | None:
    if response.status_code == 200:
        response_200 = HistoryList.from_dict(response.json())



        return response_200

    if response.status_code == 304:
        response_304 = cast(Any, None)
        return response_304

    if response.status_code == 400:
        response_400 = ErrorBody.from_dict(response.json())



        return response_400

    if response.status_code == 401:
        response_401 = ErrorBody.from_dict(response.json())



        return response_401

    if response.status_code == 429:
        response_429 = ErrorBody.from_dict(response.json())



        return response_429

    if response.status_code == 500:
        response_500 = ErrorBody.from_dict(response.json())



        return response_500

    if response.status_code == 503:
        response_503 = ErrorBody.from_dict(response.json())



        return response_503

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Any | ErrorBody | HistoryList]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    type_: HistoryType | Unset = UNSET,
    status: Ending | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | ErrorBody | HistoryList]:
    """ List used, expired and cancelled checks that the caller created or accepted, last ended first.

     Returns used, expired and cancelled checks that the user created or accepted, last ended first. A
    check that the user both created and accepted is listed once under each type. `Accept: text/csv`
    returns the whole list as CSV, without pages; amounts are in minor units, and a text that begins
    like a formula has an apostrophe before it.

    Args:
        limit (int | Unset): default: `100`
        cursor (str | Unset):
        from_ (datetime.datetime | Unset): from this time on, for example the first day
        to (datetime.datetime | Unset): before this time
        type_ (HistoryType | Unset): The role of the reader of the history: creator or acceptor.
        status (Ending | Unset): How a check ended, in the terms of the public API.
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | ErrorBody | HistoryList]
     """


    kwargs = _get_kwargs(
        limit=limit,
cursor=cursor,
from_=from_,
to=to,
type_=type_,
status=status,
if_none_match=if_none_match,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    type_: HistoryType | Unset = UNSET,
    status: Ending | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | ErrorBody | HistoryList | None:
    """ List used, expired and cancelled checks that the caller created or accepted, last ended first.

     Returns used, expired and cancelled checks that the user created or accepted, last ended first. A
    check that the user both created and accepted is listed once under each type. `Accept: text/csv`
    returns the whole list as CSV, without pages; amounts are in minor units, and a text that begins
    like a formula has an apostrophe before it.

    Args:
        limit (int | Unset): default: `100`
        cursor (str | Unset):
        from_ (datetime.datetime | Unset): from this time on, for example the first day
        to (datetime.datetime | Unset): before this time
        type_ (HistoryType | Unset): The role of the reader of the history: creator or acceptor.
        status (Ending | Unset): How a check ended, in the terms of the public API.
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | ErrorBody | HistoryList
     """


    return sync_detailed(
        client=client,
limit=limit,
cursor=cursor,
from_=from_,
to=to,
type_=type_,
status=status,
if_none_match=if_none_match,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    type_: HistoryType | Unset = UNSET,
    status: Ending | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | ErrorBody | HistoryList]:
    """ List used, expired and cancelled checks that the caller created or accepted, last ended first.

     Returns used, expired and cancelled checks that the user created or accepted, last ended first. A
    check that the user both created and accepted is listed once under each type. `Accept: text/csv`
    returns the whole list as CSV, without pages; amounts are in minor units, and a text that begins
    like a formula has an apostrophe before it.

    Args:
        limit (int | Unset): default: `100`
        cursor (str | Unset):
        from_ (datetime.datetime | Unset): from this time on, for example the first day
        to (datetime.datetime | Unset): before this time
        type_ (HistoryType | Unset): The role of the reader of the history: creator or acceptor.
        status (Ending | Unset): How a check ended, in the terms of the public API.
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | ErrorBody | HistoryList]
     """


    kwargs = _get_kwargs(
        limit=limit,
cursor=cursor,
from_=from_,
to=to,
type_=type_,
status=status,
if_none_match=if_none_match,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    type_: HistoryType | Unset = UNSET,
    status: Ending | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | ErrorBody | HistoryList | None:
    """ List used, expired and cancelled checks that the caller created or accepted, last ended first.

     Returns used, expired and cancelled checks that the user created or accepted, last ended first. A
    check that the user both created and accepted is listed once under each type. `Accept: text/csv`
    returns the whole list as CSV, without pages; amounts are in minor units, and a text that begins
    like a formula has an apostrophe before it.

    Args:
        limit (int | Unset): default: `100`
        cursor (str | Unset):
        from_ (datetime.datetime | Unset): from this time on, for example the first day
        to (datetime.datetime | Unset): before this time
        type_ (HistoryType | Unset): The role of the reader of the history: creator or acceptor.
        status (Ending | Unset): How a check ended, in the terms of the public API.
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | ErrorBody | HistoryList
     """


    return (await asyncio_detailed(
        client=client,
limit=limit,
cursor=cursor,
from_=from_,
to=to,
type_=type_,
status=status,
if_none_match=if_none_match,

    )).parsed
