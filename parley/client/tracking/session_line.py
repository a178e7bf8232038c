"""The connection of one tracked session: its messages, then its end."""

import asyncio
from typing import Protocol

import orjson

from parley.client.dialing import socket_url
from parley.client.errors import Refused
from parley.client.frames import Ack, Connected, Frame, Problem
from parley.client.line import Line
from parley.client.listener import Greeting, Place, Token
from parley.client.sending import Outgoing
from parley.client.tracking.desk import Entry, Session
from parley.client.tracking.stats import Books

# A person can put these right while the agent runs.
MENDABLE = frozenset({"unauthenticated", "forbidden", "token_expired"})


class Clerk(Protocol):
    """Who keeps the books of all sessions."""

    books: Books

    def settle(self, entry: Entry) -> None:
        """The entry is done with."""

    def note_connected(self, session: Session, status: Connected) -> None:
        """The gateway gave the session its id."""

    def note_problem(self, problem: Problem) -> bool:
        """Something went wrong that may pass; whether it was logged."""


class SessionLine:
    """Sends what one session says; over once its end is acknowledged."""

    def __init__(
        self, gateway_url: str, session: Session, token: Token, clerk: Clerk, place: Place | None
    ) -> None:
        about = session.about
        metadata = orjson.loads(about.metadata_json) if about.metadata_json else None
        greeting = Greeting(about.client_id, about.user_id, about.channel, metadata, "none")
        url = socket_url(gateway_url, about.conversation_id)
        self.session = session
        self.line = Line(url, greeting, self, token, _gives_up, place)
        self._clerk = clerk
        self._entries: dict[str, Entry] = {}
        self._end: Entry | None = None
        self._stops_when_empty = False
        self._refusal: Problem | None = None
        self._was_connected = False
        self.is_over = False
        # Whoever runs it keeps its task here, to wait for its end.
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Talk until the end is acknowledged, or the gateway refuses the session for good."""
        try:
            await self.line.run()
        except Refused as refused:
            self._give_up(Problem(refused.code, refused.message))

    def add(self, entry: Entry) -> None:
        """Send it; an end only after everything else is settled, since it closes the connection."""
        if self._refusal is not None:
            self._refuse(entry, self._refusal)
        elif entry.is_end:
            self._end = entry
            self._go_on()
        else:
            self._send(entry)

    def stop_when_empty(self) -> None:
        """Nobody says anything more: close the connection once all is settled."""
        self._stops_when_empty = True
        self._go_on()

    @property
    def in_flight(self) -> int:
        """How many frames wait for an answer; from any thread."""
        return self.line.outbox.in_flight

    def _send(self, entry: Entry) -> None:
        self._entries[entry.frame.frame_id] = entry
        self.line.add(entry.frame)

    def _go_on(self) -> None:
        if self._entries:
            return
        if self._end is not None:
            end, self._end = self._end, None
            self._send(end)
        elif self._stops_when_empty:
            self._finish()

    def _finish(self) -> None:
        self.is_over = True
        self.line.stop()

    def _settle(self, frame_id: str) -> Entry | None:
        entry = self._entries.pop(frame_id, None)
        if entry is not None:
            self._clerk.settle(entry)
        return entry

    def _give_up(self, problem: Problem) -> None:
        self._refusal = problem
        waiting = [*self._entries.values(), *([self._end] if self._end else [])]
        self._entries.clear()
        self._end = None
        for entry in waiting:
            self._refuse(entry, problem)
        self._go_on()

    def _refuse(self, entry: Entry, problem: Problem) -> None:
        self._clerk.books.refused_by_gateway += entry.is_counted
        self._clerk.note_problem(problem)
        self._clerk.settle(entry)
        if entry.is_end:
            self._finish()

    # --- what the line tells ------------------------------------------------------------------

    def connected(self, status: Connected) -> None:
        """Count it, and keep the session's id."""
        self._clerk.books.connected += 1
        self._clerk.books.reconnects += self._was_connected
        self._was_connected = True
        self._clerk.note_connected(self.session, status)

    def lost(self) -> None:
        """The line comes back by itself."""
        self._clerk.books.connected -= 1

    def sent(self, frame: Outgoing, is_again: bool) -> None:
        """Count it."""
        entry = self._entries.get(frame.frame_id)
        if entry is not None and entry.is_counted:
            self._clerk.books.resent += is_again
            self._clerk.books.sent += not is_again

    def acknowledged(self, frame: Outgoing, ack: Ack) -> None:
        """Settle it; with the end of the session the line is over."""
        entry = self._settle(frame.frame_id)
        if entry is not None and entry.is_end:
            self._finish()
        elif entry is not None:
            self._clerk.books.acknowledged += entry.is_counted
        self._go_on()

    def refused(self, frame: Outgoing, problem: Problem) -> None:
        """Settle it: it never will be taken."""
        entry = self._entries.pop(frame.frame_id, None)
        if entry is not None:
            self._refuse(entry, problem)
        self._go_on()

    def troubled(self, problem: Problem) -> None:
        """Tell the clerk."""
        self._clerk.note_problem(problem)

    def heard(self, frame: Frame) -> None:
        """Errors about no frame in particular are trouble; nothing else is asked for."""
        if isinstance(frame, Problem):
            self._clerk.note_problem(frame)


def _gives_up(problem: Problem) -> bool:
    return problem.code not in MENDABLE and not problem.code.startswith("http_")
