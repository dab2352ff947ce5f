from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.accepted_check import AcceptedCheck
from ...models.error_body import ErrorBody
from ...models.number_and_code import NumberAndCode
from ...types import UNSET, Unset
from typing import cast



def _get_kwargs(
    *,
    body: NumberAndCode,
    idempotency_key: str | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key



    

    

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/fastcheck/accept",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> AcceptedCheck | ErrorBody | None:
    if response.status_code == 200:
        response_200 = AcceptedCheck.from_dict(response.json())



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

    if response.status_code == 410:
        response_410 = ErrorBody.from_dict(response.json())



        return response_410

    if response.status_code == 411:
        response_411 = ErrorBody.from_dict(response.json())



        return response_411

    if response.status_code == 413:
        response_413 = ErrorBody.from_dict(response.json())



        return response_413

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[AcceptedCheck | ErrorBody]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: NumberAndCode,
    idempotency_key: str | Unset = UNSET,

) -> Response[AcceptedCheck | ErrorBody]:
    """ Accept a check: its amount is credited to the caller.

     Moves the money of a check to the caller. Exactly one request gets this response; the next `GET
    /balance` shows the money. A wrong code counts as an attempt: five freeze the check for 15 minutes,
    doubling each time, and twenty failed attempts within an hour block the user.

    Args:
        idempotency_key (str | Unset): the same key with the same body gives the first answer
            again
        body (NumberAndCode): What a recipient enters to preview or accept a check.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[AcceptedCheck | ErrorBody]
     """


    kwargs = _get_kwargs(
        body=body,
idempotency_key=idempotency_key,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    body: NumberAndCode,
    idempotency_key: str | Unset = UNSET,

) -> AcceptedCheck | ErrorBody | None:
    """ Accept a check: its amount is credited to the caller.

     Moves the money of a check to the caller. Exactly one request gets this response; the next `GET
    /balance` shows the money. A wrong code counts as an attempt: five freeze the check for 15 minutes,
    doubling each time, and twenty failed attempts within an hour block the user.

    Args:
        idempotency_key (str | Unset): the same key with the same body gives the first answer
            again
        body (NumberAndCode): What a recipient enters to preview or accept a check.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        AcceptedCheck | ErrorBody
     """


    return sync_detailed(
        client=client,
body=body,
idempotency_key=idempotency_key,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: NumberAndCode,
    idempotency_key: str | Unset = UNSET,

) -> Response[AcceptedCheck | ErrorBody]:
    """ Accept a check: its amount is credited to the caller.

     Moves the money of a check to the caller. Exactly one request gets this response; the next `GET
    /balance` shows the money. A wrong code counts as an attempt: five freeze the check for 15 minutes,
    doubling each time, and twenty failed attempts within an hour block the user.

    Args:
        idempotency_key (str | Unset): the same key with the same body gives the first answer
            again
        body (NumberAndCode): What a recipient enters to preview or accept a check.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[AcceptedCheck | ErrorBody]
     """


    kwargs = _get_kwargs(
        body=body,
idempotency_key=idempotency_key,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    body: NumberAndCode,
    idempotency_key: str | Unset = UNSET,

) -> AcceptedCheck | ErrorBody | None:
    """ Accept a check: its amount is credited to the caller.

     Moves the money of a check to the caller. Exactly one request gets this response; the next `GET
    /balance` shows the money. A wrong code counts as an attempt: five freeze the check for 15 minutes,
    doubling each time, and twenty failed attempts within an hour block the user.

    Args:
        idempotency_key (str | Unset): the same key with the same body gives the first answer
            again
        body (NumberAndCode): What a recipient enters to preview or accept a check.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        AcceptedCheck | ErrorBody
     """


    return (await asyncio_detailed(
        client=client,
body=body,
idempotency_key=idempotency_key,

    )).parsed
