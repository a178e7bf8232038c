"""A connection's first moments: who is there, which session it is, and what it missed."""

from dataclasses import dataclass
from typing import Any

from parley.events import SessionResumed, SessionStarted
from parley.ids import random_id
from parley.position import Position
from services.gateway import metrics
from services.gateway.access import Identity, Permission
from services.gateway.connection.frame_socket import FrameSocket
from services.gateway.connection.parts import Parts
from services.gateway.core.events import Source
from services.gateway.core.frames import Deliver, Hello
from services.gateway.core.outgoing import OutFrame
from services.gateway.core.refusals import Code, Refused
from services.gateway.rooms.open_room import OpenRoom
from services.gateway.rooms.replay import Lost, NotRecovered, Replay

USER_AGENT_CHARS = 512
OWNER_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Guest:
    """Who is connected: as what its events are written, and in which generation of its session."""

    source: Source
    generation: int
    hello: Hello


async def begin_session(
    parts: Parts,
    socket: FrameSocket,
    identity: Identity,
    room: OpenRoom,
    source: Source,
    hello: Hello,
) -> Guest:
    """Start the session, or go on with the one that the client comes back to; raises Refused."""
    was_nobodys = room.room.owner is None
    client_ip, user_agent = socket.client_ip, socket.user_agent[:USER_AGENT_CHARS]
    connection_id = source.connection_id
    if hello.session_id is None:
        generation = 1
        started = SessionStarted(
            generation, connection_id, client_ip, user_agent, hello.metadata_json
        )
        recorded = await parts.sessions.start(source, started)
    else:
        generation = parts.sessions.next_generation(source, hello)
        resumed = SessionResumed(generation, connection_id, client_ip, user_agent)
        recorded = await parts.sessions.resume(source, resumed)
    if was_nobodys and not identity.may(Permission.ANSWER):
        await _refuse_second(parts, identity, room, recorded.position)
    parts.sessions.connect(source, generation)
    return Guest(source, generation, hello)


async def _refuse_second(
    parts: Parts, identity: Identity, room: OpenRoom, began_at: Position
) -> None:
    """Of users who open a new conversation together the log says whose it is; raises Refused."""
    tail = parts.rooms.tail
    if not await tail.reach(began_at.partition, began_at.offset + 1, OWNER_PATIENCE_S):
        raise _nobody_can_say()
    refuse_strangers(identity, room)


def source_of(
    parts: Parts, identity: Identity, conversation_id: str, connection_id: str, hello: Hello
) -> Source:
    """As what the client's events are written; raises Refused for what it may not be."""
    identity.requires(Permission.TALK)
    return parts.publisher.source(
        conversation_id,
        hello.channel,
        identity.tenant_id,
        sender=identity.subject,
        user_id=identity.speaks_as(hello.user_id),
        client_id=hello.client_id or random_id(),
        session_id=hello.session_id or random_id(),
        connection_id=connection_id,
    )


def refuse_strangers(identity: Identity, room: OpenRoom) -> None:
    """Raise Refused where a user may not know that the conversation is there.

    While nobody can say whose it is, a user is asked to wait, and only a server gets in.
    """
    if identity.may(Permission.ANSWER):
        return
    if room.room.status is None and room.room.owner is None:
        raise _nobody_can_say()
    if room.room.owner not in (None, identity.user_id):
        raise Refused(Code.NO_CONVERSATION, "there is no such conversation")


def _nobody_can_say() -> Refused:
    return Refused(Code.STATE_UNKNOWN, "nobody can say now whose conversation it is", 1_000)


class Welcome:
    """Tells a guest where it is, and brings it to the present."""

    def __init__(self, parts: Parts, socket: FrameSocket, room: OpenRoom, guest: Guest) -> None:
        self._parts = parts
        self._socket = socket
        self._room = room
        self._guest = guest

    async def greet(self, frame_id: str | None, heartbeat_s: float) -> Replay:
        """Send `connected`, and `resumed` where it was asked for; returns the way from there."""
        asked_for = self._guest.hello.position
        replay, outcome = await self._resume(asked_for)
        if replay is None:
            now = self._room.position(self._parts.rooms.end_offset(self._room) - 1)
            replay = self._replay(now)
        position = str(replay.position)
        await self._socket.send(
            "connection_status", self._connected(position, heartbeat_s), frame_id
        )
        if outcome is not None:
            status = {"status": "resumed", **outcome, "position": position}
            await self._socket.send("connection_status", status)
        return replay

    async def _resume(
        self, position: Position | None
    ) -> tuple[Replay | None, dict[str, Any] | None]:
        if position is None:
            return None, None
        replay = self._replay(position)
        try:
            await replay.begin()
        except NotRecovered as lost:
            metrics.RESUMES.labels(lost.reason).inc()
            return None, {"recovered": False, "reason": lost.reason}
        return replay, {"recovered": True}

    def _replay(self, position: Position) -> Replay:
        parts = self._parts
        return Replay(parts.rooms, parts.snapshots, self._room, position)

    def _connected(self, position: str, heartbeat_s: float) -> dict[str, Any]:
        source, status = self._guest.source, self._room.room.status
        return {
            "status": "connected",
            "conversation_id": source.conversation_id,
            "session_id": source.session_id,
            "generation": self._guest.generation,
            "client_id": source.client_id,
            "position": position,
            "open_connections": self._parts.rooms.open_connections(self._room) + 1,
            "heartbeat_interval_seconds": heartbeat_s,
            # Null stands for: nobody can say now.
            "snapshot": None if status is None else {"state": status.state},
        }


async def catch_up(replay: Replay, socket: FrameSocket, deliver: Deliver, origin: Any) -> None:
    """Send what a connection's queue could not hold; raises NotRecovered midway."""

    async def send(frame: OutFrame) -> None:
        if socket.is_gone:
            # The rest of a long history would be read for nobody.
            raise NotRecovered(Lost.HISTORY_UNAVAILABLE)
        if is_wanted(frame, deliver, origin):
            await socket.pass_on(frame)

    await replay.catch_up(send)


def is_wanted(frame: OutFrame, deliver: Deliver, origin: Any) -> bool:
    """Whether a connection that wants these frames wants this one."""
    return deliver is Deliver.ALL or (deliver is Deliver.OTHERS and frame.origin != origin)
