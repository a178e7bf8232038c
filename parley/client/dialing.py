"""Opens WebSockets to a gateway."""

from typing import Final, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from websockets.asyncio.client import connect

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
OPEN_TIMEOUT_S: Final = 10.0
# A peer that is gone does not answer a close either.
CLOSE_TIMEOUT_S: Final = 2.0
# A record has a megabyte at most, of which JSON may need six bytes for one. One frame that is too
# long would be sent again after every reconnect.
MAX_FRAME_BYTES: Final = 8 * 1024 * 1024


def socket_url(gateway_url: str, conversation_id: str) -> str:
    """Where a conversation's WebSocket is; raises ValueError for what is no gateway's URL."""
    parts = urlsplit(gateway_url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError("the gateway's URL must look like https://parley.example.com")
    if not conversation_id:
        raise ValueError("a conversation needs an id")
    base = parts.path.rstrip("/")
    path = f"{base}/api/ws/conversations/{quote(conversation_id, safe='')}"
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, "", ""))


def dial(url: str) -> connect:
    """A WebSocket to use in `async with`."""
    is_here = urlsplit(url).hostname in _LOOPBACK
    proxy: Literal[True] | None = None if is_here else True
    # Compression would cost both sides more than these small frames weigh.
    return connect(
        url,
        proxy=proxy,
        compression=None,
        max_size=MAX_FRAME_BYTES,
        open_timeout=OPEN_TIMEOUT_S,
        close_timeout=CLOSE_TIMEOUT_S,
    )
