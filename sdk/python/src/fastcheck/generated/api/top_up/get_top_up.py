from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.error_body import ErrorBody
from ...models.top_up_view import TopUpView
from ...types import UNSET, Unset
from typing import cast
from uuid import UUID



def _get_kwargs(
    transaction_id: UUID,
    *,
    if_none_match: str | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(if_none_match, Unset):
        headers["If-None-Match"] = if_none_match



    

    

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/topup/{transaction_id}".format(transaction_id=quote(str(transaction_id), safe=""),),
    }


    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Any | ErrorBody | TopUpView | None:
    if response.status_code == 200:
        response_200 = TopUpView.from_dict(response.json())



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

    if response.status_code == 404:
        response_404 = ErrorBody.from_dict(response.json())



        return response_404

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Any | ErrorBody | TopUpView]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    transaction_id: UUID,
    *,
    client: AuthenticatedClient,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | ErrorBody | TopUpView]:
    """ Return one of the signed-in user's top-ups.

     Returns one of the user's top-ups. After `confirmed` the balance shows the money shortly.
    `paymentUrl` is present while the top-up can be paid, so that the user can come back to an abandoned
    payment.

    Args:
        transaction_id (UUID):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | ErrorBody | TopUpView]
     """


    kwargs = _get_kwargs(
        transaction_id=transaction_id,
if_none_match=if_none_match,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    transaction_id: UUID,
    *,
    client: AuthenticatedClient,
    if_none_match: str | Unset = UNSET,

) -> Any | ErrorBody | TopUpView | None:
    """ Return one of the signed-in user's top-ups.

     Returns one of the user's top-ups. After `confirmed` the balance shows the money shortly.
    `paymentUrl` is present while the top-up can be paid, so that the user can come back to an abandoned
    payment.

    Args:
        transaction_id (UUID):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | ErrorBody | TopUpView
     """


    return sync_detailed(
        transaction_id=transaction_id,
client=client,
if_none_match=if_none_match,

    ).parsed

async def asyncio_detailed(
    transaction_id: UUID,
    *,
    client: AuthenticatedClient,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | ErrorBody | TopUpView]:
    """ Return one of the signed-in user's top-ups.

     Returns one of the user's top-ups. After `confirmed` the balance shows the money shortly.
    `paymentUrl` is present while the top-up can be paid, so that the user can come back to an abandoned
    payment.

    Args:
        transaction_id (UUID):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | ErrorBody | TopUpView]
     """


    kwargs = _get_kwargs(
        transaction_id=transaction_id,
if_none_match=if_none_match,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    transaction_id: UUID,
    *,
    client: AuthenticatedClient,
    if_none_match: str | Unset = UNSET,

) -> Any | ErrorBody | TopUpView | None:
    """ Return one of the signed-in user's top-ups.

     Returns one of the user's top-ups. After `confirmed` the balance shows the money shortly.
    `paymentUrl` is present while the top-up can be paid, so that the user can come back to an abandoned
    payment.

    Args:
        transaction_id (UUID):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | ErrorBody | TopUpView
     """


    return (await asyncio_detailed(
        transaction_id=transaction_id,
client=client,
if_none_match=if_none_match,

    )).parsed
