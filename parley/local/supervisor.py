"""Runs the services, keeps them running, and stops them together."""

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from parley.errors import UserError
from parley.local import logs
from parley.local.console import Console
from parley.local.processes import ProcessIdentity
from parley.local.readiness import wait_ready
from parley.local.service_process import ServiceProcess, ServiceSpec
from parley.local.state import StateFile

STOP_SECONDS = 30.0
READY_SECONDS = 90.0
_SAME_SIGNAL_SECONDS = 1.0


def state_file(state_dir: Path) -> StateFile:
    """Return the file that says what runs: `{"pid", "is_ready", "services": {name: …}}`."""
    return StateFile(state_dir / "supervisor.json")


def running(state_dir: Path) -> dict[str, Any] | None:
    """Return what supervisor.json says, or None where no supervisor runs."""
    record = state_file(state_dir).read()
    identity = ProcessIdentity.from_record(record)
    return record if identity is not None and identity.is_alive() else None


@contextmanager
def only_one(state_dir: Path) -> Iterator[None]:
    """Hold the state folder for one supervisor. Raises UserError while another has it."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "supervisor.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _already_running(state_dir) from None
        yield


def _already_running(state_dir: Path) -> UserError:
    record = running(state_dir) or {}
    urls = [f"{name} on {known['url']}" for name, known in record.get("services", {}).items()]
    where = ", ".join([f"process {record.get('pid', 'starting')}", *urls])
    return UserError(
        f"Parley is already running in {state_dir} ({where}).",
        "Use it, or stop it with `parley local down`.",
    )


def kill_left_over(state_dir: Path) -> None:
    """Kill services that outlived a killed supervisor, where the system did not do it for us."""
    for known in state_file(state_dir).read().get("services", {}).values():
        identity = ProcessIdentity.from_record(known)
        if identity is not None:
            identity.send(signal.SIGKILL)


class Supervisor:
    """Runs services until SIGINT or SIGTERM; a second signal kills them at once.

    `run` belongs into the main thread: Linux ends the children when the thread that started
    them does.
    """

    def __init__(
        self,
        specs: Sequence[ServiceSpec],
        state_dir: Path,
        console: Console,
        stop_seconds: float = STOP_SECONDS,
        ready_seconds: float = READY_SECONDS,
    ) -> None:
        self._state = state_file(state_dir)
        self._console = console
        self._stop_seconds = stop_seconds
        self._ready_seconds = ready_seconds
        self._stopping = asyncio.Event()
        self._stopping_since: float | None = None
        self._is_ready = False
        self._services = [
            ServiceProcess(spec, console, logs.path_of(state_dir, spec.name), self._save)
            for spec in specs
        ]

    async def run(self, when_ready: Callable[[], Awaitable[None]]) -> None:
        """Run the services until a signal or `stop`; call `when_ready` once all are ready.

        Raises UserError, after stopping all, where they do not get ready in time.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        keeping = [asyncio.create_task(service.keep_running()) for service in self._services]
        introduction = asyncio.create_task(self._introduce(when_ready))
        try:
            await self._until_stopped([*keeping, introduction])
        finally:
            self.stop_services()
            await self._finish(keeping, introduction)
            self._state.remove()

    async def _introduce(self, when_ready: Callable[[], Awaitable[None]]) -> None:
        waiting = {
            asyncio.create_task(wait_ready(service.spec.url)): service.spec.name
            for service in self._services
        }
        try:
            _, late = await asyncio.wait(waiting, timeout=self._ready_seconds)
        finally:
            for task in waiting:
                task.cancel()
        if late:
            names = ", ".join(sorted(waiting[task] for task in late))
            raise UserError(
                f"Not ready after {self._ready_seconds:g} s: {names}.",
                "Their logs, above and with `parley local logs NAME`, say why.",
            )
        self._is_ready = True
        self._save()
        await when_ready()

    async def _until_stopped(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait for a stop; an error in any task is a stop too, and is raised."""
        stopped = asyncio.create_task(self._stopping.wait())
        pending: set[asyncio.Task[Any]] = {stopped, *tasks}
        while not stopped.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.exception() is not None:
                    stopped.cancel()
                    task.result()

    def stop(self) -> None:
        """Stop all services; called again after a second or more, kill them."""
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            self._stopping.set()
            self._console.say("stopping; once more to kill at once")
        # One Ctrl-C can arrive twice: from the terminal, and from the program that started us.
        elif time.monotonic() - self._stopping_since >= _SAME_SIGNAL_SECONDS:
            self._console.say("killing the services")
            for service in self._services:
                service.kill()

    def stop_services(self) -> None:
        """Ask every service to end."""
        for service in self._services:
            service.stop()

    async def _finish(
        self, keeping: Sequence[asyncio.Task[None]], introduction: asyncio.Task[None]
    ) -> None:
        introduction.cancel()
        with suppress(asyncio.CancelledError, UserError):
            # Its error, where it had one, is already on its way to the caller.
            await introduction
        _, late = await asyncio.wait(keeping, timeout=self._stop_seconds)
        for service in self._services if late else ():
            service.kill()
        for ended in await asyncio.gather(*keeping, return_exceptions=True):
            # A refused setting is on its way to the caller as well, or came when all ends anyway.
            if isinstance(ended, BaseException) and not isinstance(ended, UserError):
                raise ended

    def _save(self) -> None:
        own = ProcessIdentity.of_existing(os.getpid())
        services = {service.spec.name: service.record() for service in self._services}
        self._state.write({**own.to_record(), "is_ready": self._is_ready, "services": services})
