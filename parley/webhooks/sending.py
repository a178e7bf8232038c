"""Sends one signed request, and says what was answered: the receiver is believed nothing else.

The name is resolved once, every address is checked, and the connection goes to the checked one:
a name server that answers differently the second time is not asked. Each request has a connection
of its own, so that one receiver's is never used for another's.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Final

import h11

from parley import clock
from parley.webhooks.addresses import ForbiddenAddress, Network, Target, check
from parley.webhooks.names import Names

# Of the answer's head; its body is not read.
MAX_HEAD_BYTES: Final = 32 * 1024
_CHUNK: Final = 16 * 1024
_OK: Final = range(200, 300)
MOST_RETRY_AFTER_S: Final = 3_600
MOST_RETRY_AFTER_DIGITS: Final = 9
_NAMES: Final = Names()


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request: a status, or the problem without one; never what was said."""

    status: int | None
    problem: str
    latency_seconds: float
    retry_after_seconds: int = 0

    @property
    def is_success(self) -> bool:
        """Whether the receiver has it."""
        return self.status in _OK


@dataclass(frozen=True, slots=True)
class Limits:
    """How long all of a request may take, and which networks it may reach that are not public."""

    timeout_s: float
    networks: Sequence[Network] = ()


async def send(target: Target, headers: Mapping[str, str], body: bytes, limits: Limits) -> Answer:
    """POST a JSON body; every failure of the receiver's or the network's is an answer."""
    started_at = clock.monotonic()
    try:
        async with asyncio.timeout(limits.timeout_s):
            status, retry_after = await _exchange(target, headers, body, limits.networks)
    except TimeoutError:
        return Answer(None, "timeout", clock.monotonic() - started_at)
    except ForbiddenAddress as error:
        return Answer(None, f"forbidden: {error}", clock.monotonic() - started_at)
    except ssl.SSLError as error:
        return Answer(None, f"tls: {error.reason or 'failed'}", clock.monotonic() - started_at)
    except (OSError, h11.ProtocolError, UnicodeError) as error:
        return Answer(None, _problem_of(error), clock.monotonic() - started_at)
    problem = "" if status in _OK else f"http_{status}"
    return Answer(status, problem, clock.monotonic() - started_at, retry_after)


@cache
def tls_context() -> ssl.SSLContext:
    """Certificates have to be vouched for, and of the name; read once, since that takes a while."""
    return ssl.create_default_context()


def _problem_of(error: Exception) -> str:
    match error:
        case h11.ProtocolError():
            return "not_http"
        case ConnectionRefusedError():
            return "connection_refused"
        case ConnectionError():
            return "connection_lost"
        case _:
            return "unreachable"


async def _exchange(
    target: Target, headers: Mapping[str, str], body: bytes, networks: Sequence[Network]
) -> tuple[int, int]:
    address = check(target, await _NAMES.addresses(target.host), networks)
    reader, writer = await asyncio.open_connection(
        address,
        target.port,
        ssl=tls_context() if target.is_tls else None,
        server_hostname=target.host if target.is_tls else None,
        limit=_CHUNK,
    )
    try:
        return await _converse(reader, writer, _request(target, headers, body), body)
    finally:
        # What is left of it is the receiver's; a farewell could take as long as it likes.
        writer.transport.abort()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


def _request(target: Target, headers: Mapping[str, str], body: bytes) -> h11.Request:
    fixed = {
        "Host": target.authority,
        "User-Agent": "Parley",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    return h11.Request(
        method="POST", target=target.path, headers=list({**fixed, **headers}.items())
    )


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, body: bytes
) -> tuple[int, int]:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    for part in (request, h11.Data(body), h11.EndOfMessage()):
        writer.write(connection.send(part) or b"")
    await writer.drain()
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            # What it says besides is nobody's business, and could be endless.
            return event.status_code, _retry_after(event)
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))


def _retry_after(answer: h11.Response) -> int:
    """The seconds of a Retry-After; a date, which few write, is left to the usual rest."""
    text = next((value for name, value in answer.headers if name == b"retry-after"), b"0")
    # Python refuses to read thousands of digits.
    is_number = text.isdigit() and len(text) <= MOST_RETRY_AFTER_DIGITS
    return min(int(text), MOST_RETRY_AFTER_S) if is_number else 0
