from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.active_check import ActiveCheck
from ...models.error_body import ErrorBody
from ...types import UNSET, Unset
from typing import cast



def _get_kwargs(
    fastcheck: str,
    *,
    idempotency_key: str | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key



    

    

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/fastcheck/{fastcheck}/code".format(fastcheck=quote(str(fastcheck), safe=""),),
    }


    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> ActiveCheck | ErrorBody | None:
    if response.status_code == 200:
        response_200 = ActiveCheck.from_dict(response.json())



        return response_200

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

    if response.status_code == 422:
        response_422 = ErrorBody.from_dict(response.json())



        return response_422

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[ActiveCheck | ErrorBody]:
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
    idempotency_key: str | Unset = UNSET,

) -> Response[ActiveCheck | ErrorBody]:
    """ Replace the code of an own check; the old code is invalid at once.

     Replaces the code of an own active check; the old code stops working. A new code ends a freeze.

    Args:
        fastcheck (str): the number of a check, as 1234-5678-0001
        idempotency_key (str | Unset): the same key with the same body gives the first answer
            again

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ActiveCheck | ErrorBody]
     """


    kwargs = _get_kwargs(
        fastcheck=fastcheck,
idempotency_key=idempotency_key,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    fastcheck: str,
    *,
    client: AuthenticatedClient,
    idempotency_key: str | Unset = UNSET,

) -> ActiveCheck | ErrorBody | None:
    """ Replace the code of an own check; the old code is invalid at once.

     Replaces the code of an own active check; the old code stops working. A new code ends a freeze.

    Args:
        fastcheck (str): the number of a check, as 1234-5678-0001
        idempotency_key (str | Unset): the same key with the same body gives the first answer
            again

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ActiveCheck | ErrorBody
     """


    return sync_detailed(
        fastcheck=fastcheck,
client=client,
idempotency_key=idempotency_key,

    ).parsed

async def asyncio_detailed(
    fastcheck: str,
    *,
    client: AuthenticatedClient,
    idempotency_key: str | Unset = UNSET,

) -> Response[ActiveCheck | ErrorBody]:
    """ Replace the code of an own check; the old code is invalid at once.

     Replaces the code of an own active check; the old code stops working. A new code ends a freeze.

    Args:
        fastcheck (str): the number of a check, as 1234-5678-0001
        idempotency_key (str | Unset): the same key with the same body gives the first answer
            again

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ActiveCheck | ErrorBody]
     """


    kwargs = _get_kwargs(
        fastcheck=fastcheck,
idempotency_key=idempotency_key,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    fastcheck: str,
    *,
    client: AuthenticatedClient,
    idempotency_key: str | Unset = UNSET,

) -> ActiveCheck | ErrorBody | None:
    """ Replace the code of an own check; the old code is invalid at once.

     Replaces the code of an own active check; the old code stops working. A new code ends a freeze.

    Args:
        fastcheck (str): the number of a check, as 1234-5678-0001
        idempotency_key (str | Unset): the same key with the same body gives the first answer
            again

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ActiveCheck | ErrorBody
     """


    return (await asyncio_detailed(
        fastcheck=fastcheck,
client=client,
idempotency_key=idempotency_key,

    )).parsed
