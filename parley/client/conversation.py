"""Takes part in a conversation: `async with connect(…) as conversation`."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from parley import clock
from parley.client.answers import Answers, closed
from parley.client.dialing import socket_url
from parley.client.errors import UNREACHABLE, Refused
from parley.client.frames import (
    Ack,
    Connected,
    Corrected,
    Frame,
    Gap,
    Heard,
    Interim,
    Interrupted,
    Message,
    Presence,
    Problem,
    Resumed,
    Speech,
    StateChanged,
)
from parley.client.identity import FrameIds, process_client_id
from parley.client.inbox import Inbox
from parley.client.line import Line
from parley.client.listener import Greeting, Token
from parley.client.sending import Outgoing, live_frame, outgoing, utterance

PATIENCE_S: Final = 30.0


def connect(
    url: str,
    conversation: str,
    *,
    token: Token = None,
    client_id: str | None = None,
    user_id: str = "",
    channel: str = "",
    metadata: Mapping[str, Any] | None = None,
    deliver: str = "all",
    reconnect: bool = True,
    patience_s: float = PATIENCE_S,
) -> "Conversation":
    """A conversation at the gateway `url`, to be used in `async with`.

    `token` may be a function that is called for every connection. A program that wants its ids to
    count on after a restart keeps its `client_id`; by default it is random for each run.
    `deliver` is `all`, `others` (not what this client caused) or `none` (answers only).
    Whatever is awaited is tried again for `patience_s` seconds before it raises Refused; with
    `reconnect` false a lost connection is the end. Raises ValueError for what is no URL.
    """
    greeting = Greeting(client_id or process_client_id(), user_id, channel, metadata, deliver)
    return Conversation(socket_url(url, conversation), greeting, token, reconnect, patience_s)


class Conversation:
    """One participant: what it says is acknowledged when it is durable, what it hears is iterated.

    After a lost connection it goes on where it was: what was not acknowledged is said again by
    the same id, and what was missed is heard, in order. Where that is impossible, a Gap is heard.
    """

    def __init__(
        self, url: str, greeting: Greeting, token: Token, reconnects: bool, patience_s: float
    ) -> None:
        self._greeting = greeting
        self._patience_s = patience_s
        self._ids = FrameIds()
        self._line = Line(url, greeting, self, token, reconnects=reconnects)
        self._inbox = Inbox()
        self._answers = Answers()
        self._last_trouble: Problem | None = None
        self._greeted = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._end_id = ""
        self._sequence = 0
        self._state: str | None = None

    # --- what it is ---------------------------------------------------------------------------

    @property
    def session_id(self) -> str:
        """The session that the gateway gave it."""
        return self._line.place.session_id

    @property
    def client_id(self) -> str:
        """Whose ids these are."""
        return self._greeting.client_id

    @property
    def position(self) -> str:
        """Where the last durable frame lies that was heard."""
        return self._line.place.position

    @property
    def state(self) -> str | None:
        """The conversation's state, as far as it is known here."""
        return self._state

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._line.is_connected

    # --- coming and going ---------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect; raises Refused where that is in vain, or takes longer than the patience."""
        self._running = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(self._patience_s):
                await self._greeted.wait()
        except TimeoutError:
            await self._leave()
            raise Refused(self._last_trouble or Problem(UNREACHABLE, retryable=True)) from None
        except BaseException:
            await self._leave()
            raise
        if self._running.done():
            self._running.result()
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect. The session goes on for a minute, unless it was ended before."""
        await self._leave()

    async def _leave(self) -> None:
        self._line.stop()
        if self._running is None:
            return
        if not self.is_connected:
            # Nobody is there to say goodbye to, and a connection may be long in coming.
            self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        failure: BaseException | None = None
        try:
            await self._line.run()
        except Exception as error:
            failure = error
            raise
        finally:
            self._inbox.close(failure)
            self._answers.fail_all(failure or closed())
            self._greeted.set()

    # --- saying -------------------------------------------------------------------------------

    async def say(
        self,
        text: str,
        *,
        role: str = "user",
        audio_url: str | None = None,
        language: str = "",
        utterance_id: str = "",
        metadata: Mapping[str, Any] | None = None,
        occurred_at: datetime | None = None,
        id: str | None = None,  # noqa: A002 - the protocol's own word
    ) -> Ack:
        """Record a message; returns once it is durable.

        Raises Refused, and InvalidArgument for what no gateway takes. After a Refused that is
        retryable, say it again with the `id` of the error: it is never recorded twice.
        """
        happened_at = occurred_at or clock.now()
        kind, payload = utterance(
            role, text, happened_at, audio_url, language, metadata, utterance_id
        )
        return await self._send(kind, payload, id)

    async def respond(
        self,
        text: str,
        *,
        audio_url: str | None = None,
        language: str = "",
        utterance_id: str = "",
        metadata: Mapping[str, Any] | None = None,
        id: str | None = None,  # noqa: A002 - the protocol's own word
    ) -> Ack:
        """Record the agent's reply; else like `say`."""
        return await self.say(
            text,
            role="assistant",
            audio_url=audio_url,
            language=language,
            utterance_id=utterance_id,
            metadata=metadata,
            id=id,
        )

    def interim(
        self, text: str, utterance_id: str, *, role: str = "user", language: str = ""
    ) -> bool:
        """Show what is being said, live only; False when nobody is connected to see it."""
        self._sequence += 1
        payload = {
            "text": text,
            "role": role,
            "is_final": False,
            "utterance_id": utterance_id,
            "sequence": self._sequence,
            **({"language": language} if language else {}),
        }
        return self._line.send_live(live_frame("transcript_update", payload))

    def speech(self, kind: str, *, role: str = "", utterance_id: str = "") -> bool:
        """Show `speech_started`, `speech_ended`, `playback_started` or `playback_ended`, live."""
        payload = {"kind": kind, "role": role, "utterance_id": utterance_id}
        present = {name: value for name, value in payload.items() if value}
        return self._line.send_live(live_frame("speech_event", present))

    async def interrupted(
        self,
        spoken: str,
        said: Ack | str,
        *,
        id: str | None = None,  # noqa: A002 - the protocol's own word
    ) -> Ack:
        """Record how much of a reply was really spoken; `said` is its Ack, or the id it had."""
        target = (
            {"target_id": said} if isinstance(said, str) else {"target_event_id": said.event_id}
        )
        payload = {"kind": "interrupted", "text": spoken, "occurred_at": clock.now(), **target}
        return await self._send("speech_event", payload, id)

    async def transition(
        self,
        state: str,
        *,
        cause: str = "",
        reopen: bool = False,
        id: str | None = None,  # noqa: A002 - the protocol's own word
    ) -> Ack:
        """Ask for another state; a Refused says in `allowed` what would be possible."""
        payload: dict[str, Any] = {"state": state, "occurred_at": clock.now()}
        if cause:
            payload["cause"] = cause
        if reopen:
            payload["reopen"] = True
        return await self._send("state_update", payload, id)

    async def end(self) -> Ack:
        """End the session, after all that was said in it."""
        self._end_id = self._end_id or self._ids.next()
        return await self._send("end", {"occurred_at": clock.now()}, self._end_id)

    async def _send(self, kind: str, payload: Mapping[str, Any], frame_id: str | None) -> Ack:
        frame = outgoing(kind, frame_id or self._ids.next(), payload)
        if self._running is None or self._running.done():
            raise closed()
        answer = self._answers.expect(frame.frame_id)
        self._line.add(frame)
        try:
            async with asyncio.timeout(self._patience_s):
                return await answer
        except TimeoutError:
            raise Refused(self._answers.trouble_of(frame.frame_id)) from None
        finally:
            self._answers.forget(frame.frame_id)
            self._line.outbox.settle(frame.frame_id)

    # --- hearing ------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Heard:
        """The next frame; ends when the session ended, and raises Refused when it cannot go on."""
        return await self._inbox.get()

    # --- what the line tells ------------------------------------------------------------------

    def connected(self, status: Connected) -> None:
        """Remember where the stream begins."""
        if self._greeting.deliver != "none" and not self.position:
            self._line.place.position = status.position
        if status.snapshot is not None:
            self._state = status.snapshot.get("state")
        self._greeted.set()

    def lost(self) -> None:
        """The line comes back by itself, and `Resumed` or `Gap` tells how."""

    def sent(self, frame: Outgoing, is_again: bool) -> None:
        """Only the answer counts."""

    def acknowledged(self, frame: Outgoing, ack: Ack) -> None:
        """Let whoever waits go on."""
        self._answers.take(frame.frame_id, ack)
        if frame.frame_id == self._end_id:
            self._line.stop()

    def refused(self, frame: Outgoing, problem: Problem) -> None:
        """Tell whoever waits."""
        self._answers.refuse(frame.frame_id, problem)

    def troubled(self, problem: Problem) -> None:
        """Remember it, for when patience runs out."""
        self._last_trouble = problem
        self._answers.note_trouble(problem)

    def heard(self, frame: Frame) -> None:
        """Keep it for whoever iterates."""
        match frame:
            case Message() | StateChanged() | Interrupted() | Corrected():
                self._line.place.position = frame.position or self.position
                if isinstance(frame, StateChanged):
                    self._state = frame.state
                self._inbox.put(frame)
            case Resumed(recovered=False):
                self._line.place.position = frame.position
                self._inbox.put(Gap(frame.reason))
            case Interim() | Speech() | Presence() | Resumed() | Problem():
                self._inbox.put(frame)
