from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.balance_view import BalanceView
from ...models.error_body import ErrorBody
from ...types import UNSET, Unset
from typing import cast
import datetime



def _get_kwargs(
    *,
    currency: str | Unset = UNSET,
    at: datetime.datetime | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(if_none_match, Unset):
        headers["If-None-Match"] = if_none_match



    

    params: dict[str, Any] = {}

    params["currency"] = currency

    json_at: str | Unset = UNSET
    if not isinstance(at, Unset):
        json_at = at.isoformat()
    params["at"] = json_at


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/balance",
        "params": params,
    }


    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Any | BalanceView | ErrorBody | None:
    if response.status_code == 200:
        response_200 = BalanceView.from_dict(response.json())



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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Any | BalanceView | ErrorBody]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    currency: str | Unset = UNSET,
    at: datetime.datetime | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | BalanceView | ErrorBody]:
    """ Return the balance of the signed-in user.

     Returns the money that is free to spend; money in active checks has left the balance. With `at`,
    returns the balance as it stood at the end of that second.

    Args:
        currency (str | Unset): default: `RUB`
        at (datetime.datetime | Unset): the balance as it stood at the end of this second
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | BalanceView | ErrorBody]
     """


    kwargs = _get_kwargs(
        currency=currency,
at=at,
if_none_match=if_none_match,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    currency: str | Unset = UNSET,
    at: datetime.datetime | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | BalanceView | ErrorBody | None:
    """ Return the balance of the signed-in user.

     Returns the money that is free to spend; money in active checks has left the balance. With `at`,
    returns the balance as it stood at the end of that second.

    Args:
        currency (str | Unset): default: `RUB`
        at (datetime.datetime | Unset): the balance as it stood at the end of this second
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | BalanceView | ErrorBody
     """


    return sync_detailed(
        client=client,
currency=currency,
at=at,
if_none_match=if_none_match,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    currency: str | Unset = UNSET,
    at: datetime.datetime | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | BalanceView | ErrorBody]:
    """ Return the balance of the signed-in user.

     Returns the money that is free to spend; money in active checks has left the balance. With `at`,
    returns the balance as it stood at the end of that second.

    Args:
        currency (str | Unset): default: `RUB`
        at (datetime.datetime | Unset): the balance as it stood at the end of this second
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | BalanceView | ErrorBody]
     """


    kwargs = _get_kwargs(
        currency=currency,
at=at,
if_none_match=if_none_match,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    currency: str | Unset = UNSET,
    at: datetime.datetime | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | BalanceView | ErrorBody | None:
    """ Return the balance of the signed-in user.

     Returns the money that is free to spend; money in active checks has left the balance. With `at`,
    returns the balance as it stood at the end of that second.

    Args:
        currency (str | Unset): default: `RUB`
        at (datetime.datetime | Unset): the balance as it stood at the end of this second
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | BalanceView | ErrorBody
     """


    return (await asyncio_detailed(
        client=client,
currency=currency,
at=at,
if_none_match=if_none_match,

    )).parsed
