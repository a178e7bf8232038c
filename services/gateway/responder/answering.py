"""Answers messages in the background: the state goes along, and the reply is a message too."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import structlog

from parley.events import Role
from services.gateway import metrics
from services.gateway.core.events import Source
from services.gateway.core.refusals import Code, Refused
from services.gateway.responder.answer import Answer, Talks
from services.gateway.responder.replies import PLAIN, Manner, Reply, ResponderFailed, Turn
from services.gateway.settings import GatewaySettings
from services.gateway.store import StoreUnavailable
from services.gateway.stream import Recorded

log = structlog.get_logger(__name__)

# Who writes the replies: no client's name, so that no client can take a reply's id beforehand.
RESPONDER: Final = "parley.responder"
RETRY_AFTER_MS: Final = 1_000
# After the patience of a drain: to say that there will be no answer.
GIVE_UP_S: Final = 1.0
HISTORY_CHARS: Final = 50_000


class Replies(Protocol):
    """What is asked of the responder."""

    async def reply(self, turns: Sequence[Turn], manner: Manner = PLAIN) -> Reply:
        """An answer; raises ResponderFailed."""


class Remembers(Protocol):
    """What is asked of the store."""

    async def newest_messages(
        self, tenant_id: str, conversation_id: str, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        """The newest messages in order; raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A user's message that is durable and wants an answer."""

    source: Source
    event_id: str
    text: str
    manner: Manner = PLAIN


@dataclass(frozen=True, slots=True)
class _Past:
    """What was said before, and whether the message has had its answer."""

    turns: tuple[Turn, ...] = ()
    is_answered: bool = False


class Answering:
    """Answers in tasks of their own, of which there are only so many.

    A crash leaves a message that is safe and has no answer; the same message asked again, here or
    elsewhere, gets one: all that is written for it has ids that follow from its own.
    """

    def __init__(
        self, talk: Talks, responder: Replies, memory: Remembers, settings: GatewaySettings
    ) -> None:
        self._talk = talk
        self._responder = responder
        self._memory = memory
        self._history = settings.gateway_responder_history
        self._max_under_way = settings.gateway_responder_max_concurrent
        self._under_way: set[asyncio.Task[Recorded | None]] = set()
        self._waits: set[asyncio.Timeout] = set()
        self._is_draining = False

    def refuse_when_full(self) -> None:
        """Raise Refused, draining or overloaded: worth asking before the message is recorded."""
        if self._is_draining:
            raise Refused(Code.DRAINING, "this gateway is stopping: ask another one", 0)
        if len(self._under_way) >= self._max_under_way:
            raise Refused(
                Code.OVERLOADED,
                "too many answers are under way: send the same id again for one",
                RETRY_AFTER_MS,
            )

    def start(self, asked: Asked) -> asyncio.Task[Recorded | None]:
        """Answer in the background; raises Refused. The task gives the reply's place, or None."""
        self.refuse_when_full()
        task = asyncio.get_running_loop().create_task(self._answer(asked))
        self._under_way.add(task)
        task.add_done_callback(self._note_end)
        metrics.REPLIES_UNDER_WAY.set(len(self._under_way))
        return task

    async def drain(self, patience_s: float) -> None:
        """Take no more; let answers finish for so many seconds, then give them up.

        The messages are safe, and their states say that there was no answer.
        """
        self._is_draining = True
        await self._wait_for_all(patience_s)
        for wait in self._waits:
            wait.reschedule(asyncio.get_running_loop().time())
        await self._wait_for_all(GIVE_UP_S)
        for task in self._under_way:
            task.cancel()
        await self._wait_for_all(GIVE_UP_S)

    async def _wait_for_all(self, patience_s: float) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=patience_s)

    def _note_end(self, task: asyncio.Task[Recorded | None]) -> None:
        self._under_way.discard(task)
        metrics.REPLIES_UNDER_WAY.set(len(self._under_way))
        if not task.cancelled() and (error := task.exception()) is not None:
            # A bug of ours. Without its text, which may quote what was said.
            log.error("answer_broke", error=type(error).__name__)
            metrics.REPLIES.labels("internal_error").inc()

    async def _answer(self, asked: Asked) -> Recorded | None:
        answer = Answer(self._talk, _responder(asked.source), asked.event_id)
        try:
            past = await self._past(asked, answer.reply_event_id)
            if past.is_answered or not asked.text.strip():
                return None
            await answer.begin()
            try:
                reply = await self._reply(asked, past)
            except ResponderFailed as failed:
                log.warning("no_answer", message=asked.event_id, reason=failed.reason)
                await answer.give_up(failed.reason)
                return None
            return await answer.say(reply)
        except Refused as refused:
            log.warning("no_answer", message=asked.event_id, reason=refused.code)
            metrics.REPLIES.labels(refused.code).inc()
            return None

    async def _reply(self, asked: Asked, past: _Past) -> Reply:
        """The answer; raises ResponderFailed, also when a drain has lost its patience."""
        turns = (*past.turns, Turn(Role.USER, asked.text))
        wait = asyncio.timeout(None)
        try:
            async with wait:
                self._waits.add(wait)
                return await self._responder.reply(turns, asked.manner)
        except TimeoutError:
            metrics.REPLIES.labels("draining").inc()
            raise ResponderFailed("draining", is_retryable=True) from None
        finally:
            self._waits.discard(wait)

    async def _past(self, asked: Asked, reply_event_id: str) -> _Past:
        source = asked.source
        try:
            rows = await self._memory.newest_messages(
                source.tenant_id, source.conversation_id, self._history
            )
        except StoreUnavailable:
            # Better an answer to this message alone than none.
            return _Past()
        is_answered = any(str(row["id"]) == reply_event_id for row in rows)
        # Stored already or not, the message itself comes last.
        turns = [_turn(row) for row in rows if str(row["id"]) != asked.event_id]
        return _Past(_newest(turns, self._history - 1), is_answered)


def _responder(source: Source) -> Source:
    return replace(source, sender=RESPONDER, client_id=RESPONDER, connection_id="")


def _turn(row: Mapping[str, Any]) -> Turn:
    return Turn(Role(row["role"]), row["content"])


def _newest(turns: Sequence[Turn], limit: int) -> tuple[Turn, ...]:
    """The newest of what user and assistant said, within a number and a length."""
    kept: list[Turn] = []
    chars = 0
    for turn in reversed(turns):
        # What a client wrote as `system` is not the operator's word.
        if turn.role not in (Role.USER, Role.ASSISTANT) or not turn.text.strip():
            continue
        chars += len(turn.text)
        if len(kept) >= limit or chars > HISTORY_CHARS:
            break
        kept.append(turn)
    return tuple(reversed(kept))
