from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.error_body import ErrorBody
from ...models.session_view import SessionView
from ...models.sign_in import SignIn
from typing import cast



def _get_kwargs(
    *,
    body: SignIn,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}


    

    

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/login",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> ErrorBody | SessionView | None:
    if response.status_code == 200:
        response_200 = SessionView.from_dict(response.json())



        return response_200

    if response.status_code == 400:
        response_400 = ErrorBody.from_dict(response.json())



        return response_400

    if response.status_code == 401:
        response_401 = ErrorBody.from_dict(response.json())



        return response_401

    if response.status_code == 411:
        response_411 = ErrorBody.from_dict(response.json())



        return response_411

    if response.status_code == 413:
        response_413 = ErrorBody.from_dict(response.json())



        return response_413

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[ErrorBody | SessionView]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: SignIn,

) -> Response[ErrorBody | SessionView]:
    """ Sign in: start a session.

     Starts a new session; others of the user stay active. An unknown login and a wrong password get the
    same response after the same time. After many failures a sign-in takes three seconds longer, except
    from a client that returns the cookie of an earlier sign-in of the user.

    Args:
        body (SignIn): A password of the wrong length is wrong: the response does not depend on
            the rules for new passwords.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | SessionView]
     """


    kwargs = _get_kwargs(
        body=body,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient | Client,
    body: SignIn,

) -> ErrorBody | SessionView | None:
    """ Sign in: start a session.

     Starts a new session; others of the user stay active. An unknown login and a wrong password get the
    same response after the same time. After many failures a sign-in takes three seconds longer, except
    from a client that returns the cookie of an earlier sign-in of the user.

    Args:
        body (SignIn): A password of the wrong length is wrong: the response does not depend on
            the rules for new passwords.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | SessionView
     """


    return sync_detailed(
        client=client,
body=body,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: SignIn,

) -> Response[ErrorBody | SessionView]:
    """ Sign in: start a session.

     Starts a new session; others of the user stay active. An unknown login and a wrong password get the
    same response after the same time. After many failures a sign-in takes three seconds longer, except
    from a client that returns the cookie of an earlier sign-in of the user.

    Args:
        body (SignIn): A password of the wrong length is wrong: the response does not depend on
            the rules for new passwords.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | SessionView]
     """


    kwargs = _get_kwargs(
        body=body,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    body: SignIn,

) -> ErrorBody | SessionView | None:
    """ Sign in: start a session.

     Starts a new session; others of the user stay active. An unknown login and a wrong password get the
    same response after the same time. After many failures a sign-in takes three seconds longer, except
    from a client that returns the cookie of an earlier sign-in of the user.

    Args:
        body (SignIn): A password of the wrong length is wrong: the response does not depend on
            the rules for new passwords.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | SessionView
     """


    return (await asyncio_detailed(
        client=client,
body=body,

    )).parsed
