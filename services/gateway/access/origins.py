"""From where the gateway may be talked to: this machine, and pages from origins that it knows."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from parley.errors import UserError
from services.gateway.api.problems import problem_response
from services.gateway.settings import GatewaySettings

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
GUARDED: Final = "/api"

# What pages of other origins may send, and read beside the answer itself.
METHODS: Final = ("GET", "POST", "PUT")
REQUEST_HEADERS: Final = ("Authorization", "X-API-Key", "Idempotency-Key", "X-Parley-After")
RESPONSE_HEADERS: Final = ("Retry-After", "WWW-Authenticate")


def require_loopback(settings: GatewaySettings) -> None:
    """Raise UserError where others than this machine's programs could connect without a token.

    In a container every address is the container's own, so there the operator vouches for what
    is published.
    """
    is_guarded = settings.gateway_access == "on" or settings.gateway_open_to_anybody
    if settings.http_host not in LOOPBACK and not is_guarded:
        raise UserError(
            f"The gateway does not listen on {settings.http_host}: "
            "without access control it serves this machine only.",
            "Switch access control on with PARLEY_GATEWAY_ACCESS=on, or unset PARLEY_HTTP_HOST. "
            "Where nobody else can reach that address, as in a container, set "
            "PARLEY_GATEWAY_OPEN_TO_ANYBODY=true.",
        )


def is_allowed(
    host: str, origin: str | None, allowed_origins: tuple[str, ...], *, any_host: bool = False
) -> bool:
    """Whether a request to this `Host`, from a page of this `Origin`, may go on.

    The host is checked too, since a foreign name that resolves to this machine would make a
    foreign page look like our own. With `any_host` it is not: for a gateway that wants a token
    from everybody, which such a page has not. No origin means a program that is no browser.
    """
    is_ours = any_host or _split(f"//{host}").hostname in LOOPBACK
    if not is_ours and host not in {_split(one).netloc for one in allowed_origins}:
        return False
    return origin is None or origin in (f"http://{host}", f"https://{host}", *allowed_origins)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        # Such as an unclosed bracket: a name that is nobody's.
        return urlsplit("")


class OriginGuard:
    """Refuses strangers' requests and WebSockets before anybody accepts them.

    The pages of allowed origins may also read the answers (CORS): exactly those, and never with
    cookies, which Parley does not have.
    """

    def __init__(
        self, app: ASGIApp, allowed_origins: tuple[str, ...], *, any_host: bool = False
    ) -> None:
        self._app = CORSMiddleware(
            app,
            allow_origins=allowed_origins,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=RESPONSE_HEADERS,
        )
        self._allowed_origins = allowed_origins
        self._any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may go on; answer the rest with 403."""
        if scope["type"] == "lifespan" or self._may_pass(scope):
            await self._app(scope, receive, send)
            return
        response = problem_response(
            403, "origin_refused", "pages of this origin may not connect to this gateway"
        )
        # A WebSocket that was never accepted is answered as a request, where the server can.
        await response(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        if not scope["path"].startswith(GUARDED):
            return True
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        return is_allowed(host, origin, self._allowed_origins, any_host=self._any_host)
