"""Records the talks of an agent: handed over in microseconds, delivered in the background."""

import atexit
import logging
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from weakref import WeakSet

from parley import clock
from parley.client.dialing import socket_url
from parley.client.identity import FrameIds, process_client_id
from parley.client.listener import Token
from parley.client.sending import InvalidArgument, outgoing, utterance
from parley.client.spool.records import frame_line
from parley.client.spool.spool import SMALLEST_SPOOL, Spool
from parley.client.tracking.desk import Desk, Entry, Session, Wait, session_of
from parley.client.tracking.stats import CloseReport, Stats
from parley.client.tracking.worker import Worker

log = logging.getLogger("parley.client")

CAPACITY: Final = 10_000
MAX_SESSIONS: Final = 1_000
SPOOL_BYTES: Final = 64 * 1024 * 1024
CLOSE_TIMEOUT_S: Final = 10.0
# The program is ending already: nobody waits longer for what the spool could keep.
AT_EXIT_TIMEOUT_S: Final = 3.0


class Tracker:
    """Records what an agent and its users say, without ever holding up or breaking their talk.

    Every call may come from any thread and from asyncio code, takes microseconds and raises
    nothing: what is refused returns False and is counted. A thread of its own delivers over one
    WebSocket per open session, again and again until the gateway has acknowledged it; the same
    message is never stored twice.

    Args:
        url: The gateway, such as `https://parley.example.com`.
        token: What the gateway knows this program by; a function is called for every connection.
        capacity: How many messages may be unacknowledged at once; more are refused.
        spool: A folder for what is unacknowledged, so that `kill -9` loses nothing; programs and
            restarts may share it. Without one, what is unacknowledged dies with the process.
        spool_bytes: The greatest size of this process's files there.
        client_id: Whose ids these are; by default random for each run.
        max_sessions: How many sessions may be open, each with a WebSocket.

    Raises ValueError for what is no gateway's URL, OSError for a spool that cannot be written.
    After a fork the child's copy is closed: make a tracker in each worker process.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token = None,
        capacity: int = CAPACITY,
        spool: Path | str | None = None,
        spool_bytes: int = SPOOL_BYTES,
        client_id: str | None = None,
        max_sessions: int = MAX_SESSIONS,
    ) -> None:
        # It checks the URL, before any conversation depends on it.
        socket_url(url, "any")
        if capacity < 1 or max_sessions < 1 or spool_bytes < SMALLEST_SPOOL:
            raise ValueError(f"bounds are at least 1, and spool_bytes {SMALLEST_SPOOL}")
        folder = None if spool is None else Path(spool)
        self._client_id = client_id or process_client_id()
        self._capacity = capacity
        self._max_sessions = max_sessions
        self._ids = FrameIds()
        self._desk = Desk()
        self._spool = None if folder is None else Spool(folder, spool_bytes, self._desk.lock)
        self._worker = Worker(url, token, self._desk, self._spool, folder)
        self._kinds_told: set[str] = set()
        self._report: CloseReport | None = None
        self._worker.start()
        _TRACKERS.add(self)
        atexit.register(self.close, AT_EXIT_TIMEOUT_S)

    # --- tracking -----------------------------------------------------------------------------

    def start_session(
        self,
        conversation_id: str,
        *,
        user_id: str = "",
        channel: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Begin a session of a conversation; returns its handle, for the calls below.

        A session that was refused has a handle too; what is tracked under it is refused.
        """
        # A random id would ask the system for randomness, and the interpreter's lock is given away
        # meanwhile: the tracker's thread may hold it for milliseconds.
        handle = self._ids.next()
        try:
            who = (self._client_id, user_id, channel)
            self._open(session_of(handle, conversation_id, *who, metadata))
        except InvalidArgument as error:
            self._drop(error.kind)
        except Exception as error:  # noqa: BLE001 - whatever it is, the talk must go on
            self._drop(type(error).__name__)
        return handle

    def track_message(
        self,
        session_id: str,
        role: str,
        text: str,
        audio_url: str | None = None,
        language: str = "",
        metadata: Mapping[str, Any] | None = None,
        occurred_at: datetime | None = None,
    ) -> bool:
        """Hand over a final message; `role` is user, assistant, system or tool.

        `session_id` is what `start_session` returned, `occurred_at` (aware; now by default) when
        it was said. False means that it will not be recorded: the buffer or the spool is full,
        the tracker closed, the session unknown or an argument wrong; `get_stats` says which.
        """
        try:
            happened_at = occurred_at or clock.now()
            kind, payload = utterance(role, text, happened_at, audio_url, language, metadata)
            return self._hand_over(session_id, kind, payload)
        except InvalidArgument as error:
            return self._drop(error.kind)
        except Exception as error:  # noqa: BLE001 - whatever it is, the talk must go on
            return self._drop(type(error).__name__)

    def end_session(self, session_id: str) -> bool:
        """End a session once all its messages are acknowledged; False for one that is not open."""
        if not isinstance(session_id, str):
            return self._drop("session_id")
        frame = outgoing("end", self._ids.next(), {"occurred_at": clock.now()})
        desk = self._desk
        with desk.lock:
            session = None if desk.is_closed else desk.sessions.pop(session_id, None)
            if session is None:
                return False
            entry = Entry(0, session, frame, clock.monotonic(), is_end=True)
            # Into a spool that is full it does not go; it is delivered all the same.
            self._keep(entry)
            desk.ending[frame.frame_id] = entry
            desk.queue.append(entry)
        self._worker.wake()
        return True

    def _open(self, session: Session) -> None:
        desk = self._desk
        with desk.lock:
            if desk.is_closed:
                desk.refused_closed += 1
                return
            if len(desk.sessions) + len(desk.ending) >= self._max_sessions:
                desk.refused_overflow += 1
                return
            desk.sessions[session.about.handle] = session
            desk.queue.append(session)
        self._worker.wake()

    def _hand_over(self, handle: str, kind: str, payload: Mapping[str, Any]) -> bool:
        frame = outgoing(kind, self._ids.next(), payload)
        desk = self._desk
        with desk.lock:
            if desk.is_closed:
                desk.refused_closed += 1
                return False
            session = desk.sessions.get(handle)
            if session is None:
                raise InvalidArgument("session_id")
            if len(desk.open) >= self._capacity:
                desk.refused_overflow += 1
                return False
            entry = Entry(0, session, frame, clock.monotonic())
            if not self._keep(entry):
                desk.refused_overflow += 1
                return False
            desk.open[frame.frame_id] = entry
            desk.accepted += 1
            desk.queue.append(entry)
        self._worker.wake()
        return True

    def _keep(self, entry: Entry) -> bool:
        """Write it into the spool, if there is one; False when that is full. Under the lock."""
        self._desk.last_number += 1
        entry.number = self._desk.last_number
        if self._spool is None:
            return True
        try:
            line = frame_line(entry.session.encoded, entry.frame, entry.is_end)
            entry.keeper = self._spool.write(line)
        except OSError as error:
            # The disk is full, say: memory is better than nothing, and it is counted.
            self._desk.not_spooled += 1
            self._tell_once(f"spool_{type(error).__name__}")
            return True
        return entry.keeper is not None

    def _drop(self, kind: str) -> bool:
        with self._desk.lock:
            self._desk.dropped_invalid += 1
        self._tell_once(kind)
        return False

    def _tell_once(self, kind: str) -> None:
        if kind not in self._kinds_told:
            self._kinds_told.add(kind)
            log.warning("not tracked as asked: %s; said once for each kind", kind)

    # --- looking and waiting ------------------------------------------------------------------

    def get_stats(self) -> Stats:
        """What became of everything so far."""
        desk, books = self._desk, self._worker.books
        with desk.lock:
            # Of a copy: the tracker's thread takes away from it without the lock.
            oldest = next(iter(desk.open.copy().values()), None)
            unacknowledged = len(desk.open)
            in_flight = sum(line.in_flight for line in list(self._worker.lines.values()))
            kept = unacknowledged + len(desk.ending) if self._spool else 0
            return Stats(
                unacknowledged=unacknowledged,
                queued=max(0, unacknowledged - in_flight),
                capacity=self._capacity,
                accepted=desk.accepted,
                sent=books.sent,
                resent=books.resent,
                acknowledged=books.acknowledged,
                refused_by_gateway=books.refused_by_gateway,
                refused_overflow=desk.refused_overflow,
                refused_closed=desk.refused_closed,
                dropped_invalid=desk.dropped_invalid,
                spooled=kept + books.recovered_remaining,
                not_spooled=desk.not_spooled,
                recovered=books.recovered,
                spool_torn=books.spool_torn,
                connected=books.connected,
                reconnects=books.reconnects,
                open_sessions=len(desk.sessions),
                oldest_unacknowledged_seconds=clock.monotonic() - oldest.accepted_s
                if oldest
                else 0,
                last_problem=books.last_problem,
            )

    def flush(self, timeout: float) -> bool:
        """Wait until all that was handed over before is settled; False after `timeout` seconds."""
        with self._desk.lock:
            wait = Wait(self._desk.last_number)
            is_settled = not self._desk.open and not self._desk.ending
            if not is_settled:
                self._desk.queue.append(wait)
        if is_settled:
            return True
        self._worker.wake()
        is_settled = wait.done.wait(timeout)
        # Nobody waits any more, and the thread forgets it.
        wait.done.set()
        return is_settled

    def close(self, timeout: float = CLOSE_TIMEOUT_S) -> CloseReport:
        """Take nothing more, wait up to `timeout` seconds for what is open, and report the rest.

        Sessions that were not ended end by themselves a minute later, as disconnected. From
        asyncio code: `await asyncio.to_thread(tracker.close)`. Again, it gives the same report.
        """
        with self._desk.lock:
            is_first, self._desk.is_closed = not self._desk.is_closed, True
        if not is_first:
            return self._report or self._make_report()
        self.flush(timeout)
        is_stopped = self._worker.stop()
        self._report = self._make_report()
        if self._spool is not None and is_stopped:
            self._spool.close()
        atexit.unregister(self.close)
        return self._report

    def _make_report(self) -> CloseReport:
        with self._desk.lock:
            left = list(self._desk.open.values())
            ending = [one.session.about.handle for one in self._desk.ending.values()]
        unacknowledged: dict[str, tuple[str, ...]] = {}
        for one in left:
            handle = one.session.about.handle
            unacknowledged[handle] = (*unacknowledged.get(handle, ()), one.frame.frame_id)
        kept = sum(one.keeper is not None for one in left)
        return CloseReport(self._worker.books.acknowledged, unacknowledged, tuple(ending), kept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _forget_parent(self) -> None:
        """In a forked child: there is no thread here, and the parent's files are the parent's."""
        # Some other thread of the parent may have held the lock, and is not here to release it.
        sessions, self._desk = len(self._desk.sessions), Desk(is_closed=True)
        self._report = CloseReport(0, {}, (), 0)
        self._worker.forget()
        if self._spool is not None:
            self._spool.forget()
        if sessions:
            log.warning("a tracker was forked with %d sessions; make one per process", sessions)


_TRACKERS: "WeakSet[Tracker]" = WeakSet()


def _after_fork_in_child() -> None:
    for tracker in list(_TRACKERS):
        tracker._forget_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)
