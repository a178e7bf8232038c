"""Where a token may stand in a request."""

import pytest
from starlette.datastructures import Headers

from services.gateway.access import token_of


def found(**headers: str) -> str | None:
    return token_of(Headers({name.replace("_", "-"): value for name, value in headers.items()}))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_a_token_stands_in_the_authorization_header(scheme: str) -> None:
    assert found(authorization=f"{scheme} abc") == "abc"


def test_a_token_stands_in_a_header_of_its_own() -> None:
    assert found(x_api_key="abc") == "abc"
    # What a proxy before the gateway may ask for is not ours.
    assert found(x_api_key="abc", authorization="Basic dTpw") == "abc"


def test_browsers_send_it_with_the_subprotocols() -> None:
    assert found(sec_websocket_protocol="parley, bearer.a.b.c") == "a.b.c"
    assert found(sec_websocket_protocol="bearer.abc,parley") == "abc"


def test_the_first_place_decides() -> None:
    everywhere = {"x_api_key": "b", "sec_websocket_protocol": "parley, bearer.c"}
    assert found(authorization="Bearer a", **everywhere) == "a"
    assert found(**everywhere) == "b"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic dTpw"},
        {"authorization": "abc"},
        {"sec_websocket_protocol": "parley"},
        {"sec_websocket_protocol": "abc, Bearer.abc"},
        {"cookie": "token=abc"},
    ],
)
def test_anywhere_else_there_is_none(headers: dict[str, str]) -> None:
    assert found(**headers) is None


def test_a_bearer_of_nothing_is_no_request_without_a_token() -> None:
    assert found(authorization="Bearer") == ""
    assert found(authorization="Bearer ") == ""
