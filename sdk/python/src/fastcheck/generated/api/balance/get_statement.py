from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.error_body import ErrorBody
from ...models.statement_view import StatementView
from ...types import UNSET, Unset
from typing import cast
import datetime



def _get_kwargs(
    *,
    limit: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    currency: str | Unset = UNSET,
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

    params["currency"] = currency


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/balance/history",
        "params": params,
    }


    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Any | ErrorBody | StatementView | None:
    if response.status_code == 200:
        response_200 = StatementView.from_dict(response.json())



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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Any | ErrorBody | StatementView]:
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
    currency: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | ErrorBody | StatementView]:
    """ Return the statement: every change of the balance, newest first.

     Returns every change of the balance in one currency, newest first. `amount` is signed, and
    `balanceAfter` is the balance after the change. `Accept: text/csv` returns the whole list as CSV,
    without pages; amounts are in minor units, and a text that begins like a formula has an apostrophe
    before it.

    Args:
        limit (int | Unset): default: `100`
        cursor (str | Unset):
        from_ (datetime.datetime | Unset): from this time on, for example the first day
        to (datetime.datetime | Unset): before this time
        currency (str | Unset): default: `RUB`
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | ErrorBody | StatementView]
     """


    kwargs = _get_kwargs(
        limit=limit,
cursor=cursor,
from_=from_,
to=to,
currency=currency,
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
    currency: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | ErrorBody | StatementView | None:
    """ Return the statement: every change of the balance, newest first.

     Returns every change of the balance in one currency, newest first. `amount` is signed, and
    `balanceAfter` is the balance after the change. `Accept: text/csv` returns the whole list as CSV,
    without pages; amounts are in minor units, and a text that begins like a formula has an apostrophe
    before it.

    Args:
        limit (int | Unset): default: `100`
        cursor (str | Unset):
        from_ (datetime.datetime | Unset): from this time on, for example the first day
        to (datetime.datetime | Unset): before this time
        currency (str | Unset): default: `RUB`
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | ErrorBody | StatementView
     """


    return sync_detailed(
        client=client,
limit=limit,
cursor=cursor,
from_=from_,
to=to,
currency=currency,
if_none_match=if_none_match,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    currency: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | ErrorBody | StatementView]:
    """ Return the statement: every change of the balance, newest first.

     Returns every change of the balance in one currency, newest first. `amount` is signed, and
    `balanceAfter` is the balance after the change. `Accept: text/csv` returns the whole list as CSV,
    without pages; amounts are in minor units, and a text that begins like a formula has an apostrophe
    before it.

    Args:
        limit (int | Unset): default: `100`
        cursor (str | Unset):
        from_ (datetime.datetime | Unset): from this time on, for example the first day
        to (datetime.datetime | Unset): before this time
        currency (str | Unset): default: `RUB`
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | ErrorBody | StatementView]
     """


    kwargs = _get_kwargs(
        limit=limit,
cursor=cursor,
from_=from_,
to=to,
currency=currency,
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
    currency: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | ErrorBody | StatementView | None:
    """ Return the statement: every change of the balance, newest first.

     Returns every change of the balance in one currency, newest first. `amount` is signed, and
    `balanceAfter` is the balance after the change. `Accept: text/csv` returns the whole list as CSV,
    without pages; amounts are in minor units, and a text that begins like a formula has an apostrophe
    before it.

    Args:
        limit (int | Unset): default: `100`
        cursor (str | Unset):
        from_ (datetime.datetime | Unset): from this time on, for example the first day
        to (datetime.datetime | Unset): before this time
        currency (str | Unset): default: `RUB`
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | ErrorBody | StatementView
     """


    return (await asyncio_detailed(
        client=client,
limit=limit,
cursor=cursor,
from_=from_,
to=to,
currency=currency,
if_none_match=if_none_match,

    )).parsed
