"""One HTTP request with JSON in it, and its reply's bytes: no more of them than a reply may have.

The client is aiohttp's, which reads and writes HTTP in C: OpenAI's own takes a millisecond of the
processor for a call, so that with it one process would make no 500 a second.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import create_default_context
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)

# An output has 900 kB at most, and escapes may make it longer on the way.
MAX_BODY_BYTES: Final = 4_000_000
MAX_CONNECTIONS: Final = 256
# Shorter than servers commonly keep one: a call on a connection that is being closed is lost.
KEEP_IDLE_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whatever it says; the headers' names are in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoReply(Exception):
    """None came back; `reason` is one word of the analyzer's vocabulary."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Http:
    """Connections to one URL. Each `post` is one request, and never another."""

    def __init__(self, url: str, headers: Mapping[str, str], connect_timeout_s: float) -> None:
        # At their finer levels they may write down whom they call.
        logging.getLogger("aiohttp").setLevel(logging.WARNING)
        self._url = url
        # Compressed, a small body can be a large one.
        self._headers = {"Accept-Encoding": "identity", **headers}
        self._connect_timeout_s = connect_timeout_s
        self._proxy = proxy_of(url)
        self._session: ClientSession | None = None

    async def post(self, body: bytes, timeout_s: float) -> Reply:
        """Send a body of JSON; raises NoReply, with nothing in it that was said."""
        try:
            # aiohttp's own would round to whole seconds where they are long.
            async with asyncio.timeout(timeout_s):
                return await self._post(body, timeout_s)
        except TimeoutError:
            raise NoReply("timeout") from None
        except ClientConnectorError:
            raise NoReply("unreachable") from None
        except (ClientError, ConnectionError):
            raise NoReply("connection_lost") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, body: bytes, timeout_s: float) -> Reply:
        if self._session is None:
            self._session = self._opened()
        connecting = ClientTimeout(sock_connect=min(self._connect_timeout_s, timeout_s))
        async with self._session.post(
            self._url, data=body, allow_redirects=False, timeout=connecting
        ) as response:
            return Reply(response.status, response.headers, await _body(response))

    def _opened(self) -> ClientSession:
        """Only now: it belongs to the loop that it is used in."""
        return ClientSession(
            connector=TCPConnector(
                limit=MAX_CONNECTIONS,
                keepalive_timeout=KEEP_IDLE_S,
                # Whom the system trusts, or who is named by SSL_CERT_FILE and SSL_CERT_DIR.
                ssl=create_default_context(),
            ),
            cookie_jar=DummyCookieJar(),
            headers={"Content-Type": "application/json", **self._headers},
            proxy=self._proxy,
            auto_decompress=False,
        )


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for it, by the usual variables; read once."""
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


async def _body(response: ClientResponse) -> bytes:
    """All of it; raises NoReply where that is more than fits."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        # Although it was not accepted.
        raise NoReply("answer_too_long")
    pieces: list[bytes] = []
    room = MAX_BODY_BYTES
    while piece := await response.content.readany():
        room -= len(piece)
        if room < 0:
            raise NoReply("answer_too_long")
        pieces.append(piece)
    return b"".join(pieces)
