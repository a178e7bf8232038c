"""The tracker's thread: an event loop of its own that owns every connection."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from parley import clock
from parley.client.frames import Connected, Problem
from parley.client.listener import Place, Token
from parley.client.spool.leftover import Leftover, dead_runs
from parley.client.spool.records import SpooledFrame, SpooledSession, frame_line
from parley.client.spool.segment import Segment
from parley.client.spool.spool import Spool
from parley.client.tracking.desk import Desk, Entry, Session, Wait
from parley.client.tracking.session_line import SessionLine
from parley.client.tracking.stats import Books

log = logging.getLogger("parley.client")

# While messages come, they are looked for this often: a wake-up for each would cost its caller
# a call to the system, and the interpreter's lock with it.
LINGER_S: Final = 0.005
# So that connections are served in between.
MAX_TAKEN_AT_ONCE: Final = 500
TEND_S: Final = 0.1
STOP_S: Final = 3.0
RESTART_S: Final = 1.0
RECOVERY_POLL_S: Final = 0.1
QUIET_S: Final = 60.0


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that can still look up names while the interpreter ends."""

    async def getaddrinfo(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().getaddrinfo(*args, **options)
        except RuntimeError:
            # By then there are no threads to ask in; and nobody else waits for this one.
            return socket.getaddrinfo(*args, **options)


class Worker:
    """Takes from the desk and sends, until it is stopped."""

    def __init__(
        self, url: str, token: Token, desk: Desk, spool: Spool | None, folder: Path | None
    ) -> None:
        self.books = Books()
        self.lines: dict[str, SessionLine] = {}
        self._url = url
        self._token = token
        self._desk = desk
        self._spool = spool
        self._folder = folder
        self._leftover: Leftover | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._waits: list[Wait] = []
        self._is_checking = False
        self._is_tending = False
        self._is_awake = False
        self._told: dict[str, float] = {}
        self._stop = asyncio.Event()
        self._loop = _Loop()
        self._thread = threading.Thread(target=self._main, name="parley-tracker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is something on the desk; from any thread."""
        if self._is_awake:
            return
        self._is_awake = True
        self._call(self._drain)

    def stop(self) -> bool:
        """Close the connections and end the thread; False when it does not end."""
        self._call(self._stop.set)
        self._thread.join(2 * STOP_S)
        return not self._thread.is_alive()

    def forget(self) -> None:
        """In a forked child, where the thread does not exist: hold nothing of the parent's."""
        if self._leftover is not None:
            self._leftover.forget()

    def _call(self, what: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            # The loop is closed: whoever closes the tracker reports what is left.
            return

    # --- in the thread ------------------------------------------------------------------------

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        if self._folder is not None:
            self._keep(self._loop.create_task(self._recover(self._folder)))
        await self._stop.wait()
        # What is not connected has nobody to say goodbye to: it is cancelled with the rest.
        leaving = [one for one in self.lines.values() if one.line.is_connected]
        for line in leaving:
            line.line.stop()
        if leaving:
            goodbyes = [one.task for one in leaving if one.task is not None]
            await asyncio.wait(goodbyes, timeout=STOP_S)
        if self._leftover is not None:
            self._leftover.close()
            self._leftover = None

    def _drain(self) -> None:
        taken = 0
        try:
            while self._desk.queue and taken < MAX_TAKEN_AT_ONCE:
                taken += 1
                self._take(self._desk.queue.popleft())
        finally:
            # Whatever goes wrong with one of them, the others are looked after.
            self._drain_again(taken)

    def _drain_again(self, taken: int) -> None:
        if taken:
            self._loop.call_later(0 if self._desk.queue else LINGER_S, self._drain)
            return
        self._is_awake = False
        # Whoever came between the last look and this line saw a thread that was awake.
        if self._desk.queue:
            self.wake()

    def _take(self, item: Session | Entry | Wait) -> None:
        match item:
            case Session():
                self._open(item)
            case Entry():
                self._hand_on(item)
            case Wait():
                self._waits.append(item)
                self._check_waits()

    def _hand_on(self, entry: Entry) -> None:
        line = self.lines[entry.session.about.handle]
        line.add(entry)
        self._tend_soon()
        if line.is_over:
            self._forget_line(line)

    def _open(self, session: Session, place: Place | None = None) -> SessionLine:
        line = SessionLine(self._url, session, self._token, self, place)
        self.lines[session.about.handle] = line
        # Begun while the loop comes to its end, nobody would end it.
        if not self._stop.is_set():
            line.task = self._loop.create_task(self._run(line))
            self._keep(line.task)
        return line

    async def _run(self, line: SessionLine) -> None:
        is_well = False
        while not is_well:
            is_well = await self._runs_well(line)
        if line.is_over:
            self._forget_line(line)

    def _forget_line(self, line: SessionLine) -> None:
        handle = line.session.about.handle
        self.lines.pop(handle, None)
        if self._spool is not None:
            self._spool.forget_session(handle)

    async def _runs_well(self, line: SessionLine) -> bool:
        try:
            await line.run()
        except Exception as error:
            # Such as a token function that fails: the session goes on when it works again.
            if self.note_problem(Problem(type(error).__name__)):
                log.exception("a tracked session met an error")
            await asyncio.sleep(RESTART_S)
            return False
        return True

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.books.last_problem = type(error).__name__
            log.error("a task of the tracker failed", exc_info=error)

    # --- what the sessions tell ---------------------------------------------------------------

    def settle(self, entry: Entry) -> None:
        """Take it off the desk and out of the spool."""
        self._desk.settle(entry)
        if entry.keeper is not None:
            entry.keeper.settle(entry.frame.frame_id)
            self._tend_soon()
        if self._waits and not self._is_checking:
            self._is_checking = True
            self._loop.call_soon(self._check_waits)

    def note_connected(self, session: Session, status: Connected) -> None:
        """Keep the session's id in the spool."""
        handle = session.about.handle
        if self._spool is None:
            return
        try:
            self._spool.note_session(handle, status.session_id, status.generation)
        except OSError as error:
            # The next run would begin another session, and the messages are the same.
            self.note_problem(Problem(f"spool_{type(error).__name__}"))

    def note_problem(self, problem: Problem) -> bool:
        """Remember it, and log its code once a minute; returns whether it was logged."""
        self.books.last_problem = problem.code
        now_s = clock.monotonic()
        told_s = self._told.get(problem.code)
        if told_s is not None and now_s - told_s < QUIET_S:
            return False
        self._told[problem.code] = now_s
        log.warning("tracking met %s; unacknowledged: %d", problem.code, len(self._desk.open))
        return True

    def _check_waits(self) -> None:
        self._is_checking = False
        for wait in list(self._waits):
            if wait.done.is_set() or self._desk.is_settled_up_to(wait.number):
                wait.done.set()
                self._waits.remove(wait)

    # --- the spool ----------------------------------------------------------------------------

    def _tend_soon(self) -> None:
        if self._spool is not None and not self._is_tending:
            self._is_tending = True
            self._loop.call_later(TEND_S, self._tend)

    def _tend(self) -> None:
        self._is_tending = False
        try:
            if self._spool is not None:
                self._spool.tend()
                self._move_on(self._spool)
            if self._leftover is not None:
                self._leftover.flush_done()
        except OSError as error:
            # What is not written down is sent again by the next run, by the same ids.
            self.note_problem(Problem(f"spool_{type(error).__name__}"))

    def _move_on(self, spool: Spool) -> None:
        """Write the last lines of a nearly settled segment again, so that it can go."""
        crowded = spool.crowded()
        if crowded is None:
            return
        for entry in (*self._desk.open.copy().values(), *self._desk.ending.copy().values()):
            if entry.keeper is crowded:
                self._move(entry, crowded, spool)

    def _move(self, entry: Entry, old: Segment, spool: Spool) -> None:
        line = frame_line(entry.session.encoded, entry.frame, entry.is_end)
        entry.keeper = spool.move(line, old) or old

    async def _recover(self, folder: Path) -> None:
        """Send what dead runs left behind, one run after the other."""
        for leftover in dead_runs(folder):
            self._leftover = leftover
            lines = self._reopen(leftover)
            while leftover.remaining or any(one in self.lines for one in lines):
                self.books.recovered_remaining = leftover.remaining
                await asyncio.sleep(RECOVERY_POLL_S)
            leftover.close()
            self._leftover = None
            self.books.recovered_remaining = 0

    def _reopen(self, leftover: Leftover) -> set[str]:
        left: dict[SpooledSession, list[SpooledFrame]] = {}
        found = leftover.read()
        self.books.recovered_remaining = leftover.remaining
        for one in found:
            left.setdefault(one.session, []).append(one)
            self.books.recovered += not one.is_end
        self.books.spool_torn += leftover.torn
        known = leftover.sessions()
        for about, frames in left.items():
            session_id, generation = known.get(about.handle, ("", 0))
            line = self._open(Session(about, b""), Place(session_id, generation))
            for frame in frames:
                line.add(_entry(frame, line.session, leftover))
            line.stop_when_empty()
        return {about.handle for about in left}


def _entry(spooled: SpooledFrame, session: Session, leftover: Leftover) -> Entry:
    return Entry(0, session, spooled.frame, clock.monotonic(), spooled.is_end, leftover)
