from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.error_body import ErrorBody
from ...types import UNSET, Unset
from typing import cast



def _get_kwargs(
    fastcheck: str,
    *,
    with_code: bool | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(if_none_match, Unset):
        headers["If-None-Match"] = if_none_match



    

    params: dict[str, Any] = {}

    params["withCode"] = with_code


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/fastcheck/{fastcheck}/qr.svg".format(fastcheck=quote(str(fastcheck), safe=""),),
        "params": params,
    }


    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Any | ErrorBody | str | None:
    if response.status_code == 200:
        response_200 = cast(str, response.content)
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

    if response.status_code == 409:
        response_409 = ErrorBody.from_dict(response.json())



        return response_409

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Any | ErrorBody | str]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    fastcheck: str,
    *,
    client: AuthenticatedClient,
    with_code: bool | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | ErrorBody | str]:
    """ Return a QR code of the link to the accept page with the number filled in; for the creator only.

     Returns a QR code, for the creator alone, of the link that opens the accept page with the number
    filled in. `withCode=true` adds the code after the `#`, which browsers do not send to servers.

    Args:
        fastcheck (str): the number of a check, as 1234-5678-0001
        with_code (bool | Unset): include the code in the fragment of the link; default: `False`
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | ErrorBody | str]
     """


    kwargs = _get_kwargs(
        fastcheck=fastcheck,
with_code=with_code,
if_none_match=if_none_match,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    fastcheck: str,
    *,
    client: AuthenticatedClient,
    with_code: bool | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | ErrorBody | str | None:
    """ Return a QR code of the link to the accept page with the number filled in; for the creator only.

     Returns a QR code, for the creator alone, of the link that opens the accept page with the number
    filled in. `withCode=true` adds the code after the `#`, which browsers do not send to servers.

    Args:
        fastcheck (str): the number of a check, as 1234-5678-0001
        with_code (bool | Unset): include the code in the fragment of the link; default: `False`
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | ErrorBody | str
     """


    return sync_detailed(
        fastcheck=fastcheck,
client=client,
with_code=with_code,
if_none_match=if_none_match,

    ).parsed

async def asyncio_detailed(
    fastcheck: str,
    *,
    client: AuthenticatedClient,
    with_code: bool | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | ErrorBody | str]:
    """ Return a QR code of the link to the accept page with the number filled in; for the creator only.

     Returns a QR code, for the creator alone, of the link that opens the accept page with the number
    filled in. `withCode=true` adds the code after the `#`, which browsers do not send to servers.

    Args:
        fastcheck (str): the number of a check, as 1234-5678-0001
        with_code (bool | Unset): include the code in the fragment of the link; default: `False`
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | ErrorBody | str]
     """


    kwargs = _get_kwargs(
        fastcheck=fastcheck,
with_code=with_code,
if_none_match=if_none_match,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    fastcheck: str,
    *,
    client: AuthenticatedClient,
    with_code: bool | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | ErrorBody | str | None:
    """ Return a QR code of the link to the accept page with the number filled in; for the creator only.

     Returns a QR code, for the creator alone, of the link that opens the accept page with the number
    filled in. `withCode=true` adds the code after the `#`, which browsers do not send to servers.

    Args:
        fastcheck (str): the number of a check, as 1234-5678-0001
        with_code (bool | Unset): include the code in the fragment of the link; default: `False`
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | ErrorBody | str
     """


    return (await asyncio_detailed(
        fastcheck=fastcheck,
client=client,
with_code=with_code,
if_none_match=if_none_match,

    )).parsed
