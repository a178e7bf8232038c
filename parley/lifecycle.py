"""Runs a service: its HTTP port, its tasks, and a clean end on SIGTERM or Ctrl-C."""

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar

import structlog
import uvicorn
import uvloop
from prometheus_client import disable_created_metrics
from uvicorn.protocols.http.h11_impl import H11Protocol

from parley import event_loop, logs
from parley.errors import WRONG_SETTINGS, UserError
from parley.garbage import COLLECT_AFTER, collect_seldom
from parley.log.connections import tell_of_closed_connections
from parley.settings import Settings
from parley.tracing import TRACING

log = structlog.get_logger(__name__)

DRAIN_SECONDS: Final = 20
BACKLOG: Final = 2048
SEND_BUFFER_BYTES: Final = 128 * 1024

Task = Callable[[asyncio.Event], Awaitable[None]]
Drain = Callable[[], Awaitable[None]]
# As ASGI describes it.
Application = Callable[..., Awaitable[None]]
AnySettings = TypeVar("AnySettings", bound=Settings)


def run_service(
    name: str,
    settings_type: type[AnySettings],
    start: Callable[[AnySettings, asyncio.Event], Awaitable[None]],
) -> None:
    """Be the process of a service: read settings, run `start` until a signal, exit.

    Exits with a plain message for a UserError (78 where a setting is wrong, else 1), and with the
    error's trace, nothing committed, for what nobody knows how to handle.
    """
    try:
        settings = settings_type.load()
    except UserError as error:
        _give_up([error], WRONG_SETTINGS)
    try:
        logs.configure(name, settings.log_level, settings.log_format == "json")
        tell_of_closed_connections()
        # When each counter began: as many series again, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        if settings.tracing:
            TRACING.start(name)
        uvloop.run(_until_signal(start, settings))
    except UserError as error:
        _give_up([error])
    except BaseExceptionGroup as group:
        told, unknown = group.split(UserError)
        if unknown is not None or told is None:
            raise
        _give_up(told.exceptions)
    finally:
        TRACING.stop()


def _give_up(errors: Sequence[BaseException], status: int = 1) -> NoReturn:
    for error in errors:
        print(error, file=sys.stderr)  # noqa: T201 - the start's answer to a person
    sys.exit(status)


async def _until_signal(
    start: Callable[[AnySettings, asyncio.Event], Awaitable[None]], settings: AnySettings
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await start(settings, stop)


@dataclass(frozen=True, slots=True)
class WebSocketLimits:
    """What a WebSocket may do: larger frames close it with 1009, unanswered pings with 1011."""

    max_frame_bytes: int = 64 * 1024
    ping_every_s: float = 20.0
    ping_timeout_s: float = 20.0


DEFAULT_LIMITS: Final = WebSocketLimits()


async def serve(
    app: Application,
    settings: Settings,
    stop: asyncio.Event,
    *tasks: Task,
    drain: Drain | None = None,
    limits: WebSocketLimits = DEFAULT_LIMITS,
    web_socket: type[asyncio.Protocol] | None = None,
    http: type[asyncio.Protocol] = H11Protocol,
    collect_after: tuple[int, int, int] = COLLECT_AFTER,
) -> None:
    """Serve HTTP and run the tasks until `stop` is set or one of them fails.

    Without a `web_socket` it takes none. Every task is given `stop` and must return soon after it
    is set. `drain` runs after `stop`, while connections are still open. A failure stops the rest
    and is raised in an ExceptionGroup.
    """
    collect_seldom(collect_after)
    with _listen(settings.http_host, settings.http_port) as listener:
        server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                http=http,
                ws=web_socket or "none",
                ws_per_message_deflate=False,
                ws_max_size=limits.max_frame_bytes,
                ws_ping_interval=limits.ping_every_s,
                ws_ping_timeout=limits.ping_timeout_s,
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )
        log.info("listening", address="{}:{}".format(*listener.getsockname()[:2]))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            group.create_task(_stop_server(server, stop, drain))
            for task in (event_loop.watch, *tasks):
                group.create_task(_run_task(task, stop))


async def _run_task(task: Task, stop: asyncio.Event) -> None:
    try:
        await task(stop)
    finally:
        # A task that ended, or failed, ends the service: half a service is worse than none.
        stop.set()


async def _stop_server(server: uvicorn.Server, stop: asyncio.Event, drain: Drain | None) -> None:
    await stop.wait()
    try:
        if drain is not None:
            await drain()
    finally:
        server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: `run_service` has them."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it. Left to itself the kernel keeps megabytes for one who reads nothing.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            "Stop what uses the port, or set PARLEY_HTTP_PORT to a free one (0 picks one).",
        ) from error
    listener.listen(BACKLOG)
    return listener
