"""Where a request carries its token, and what every token must be before anybody reads it."""

from typing import Final

from starlette.datastructures import Headers

MAX_TOKEN_BYTES: Final = 8 * 1024
# What a WebSocket that sent its token this way is answered with; the token is never sent back.
SUBPROTOCOL: Final = "parley"
_BEARER_SUBPROTOCOL: Final = "bearer."


class BadToken(Exception):
    """A token that is not believed; `reason` is a word for metrics, the message for its holder."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


def check_form(token: str) -> None:
    """Raise BadToken for what is no token whoever signed it, before any of it is parsed."""
    if len(token) > MAX_TOKEN_BYTES:
        raise BadToken("too_large", f"a token has at most {MAX_TOKEN_BYTES} bytes")
    if not token.isascii():
        raise BadToken("malformed", "this is neither an API key nor a token")


def token_of(headers: Headers) -> str | None:
    """The token that a request carries; None for none.

    Taken from `Authorization: Bearer`, from `X-API-Key`, or from the WebSocket subprotocols
    `parley, bearer.<token>`; never from the query string, which ends up in logs.
    """
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return headers.get("x-api-key") or _subprotocol_token(headers)


def _subprotocol_token(headers: Headers) -> str | None:
    for offered in subprotocols_of(headers):
        if offered.startswith(_BEARER_SUBPROTOCOL):
            return offered.removeprefix(_BEARER_SUBPROTOCOL)
    return None


def subprotocols_of(headers: Headers) -> list[str]:
    """What a WebSocket offers to speak."""
    offered = ",".join(headers.getlist("sec-websocket-protocol"))
    return [one.strip() for one in offered.split(",")]
