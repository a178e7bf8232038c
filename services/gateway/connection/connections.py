"""All WebSockets of this gateway: counted, and drained together."""

import asyncio
from typing import Final

import structlog
from fastapi import WebSocket

from services.gateway import metrics
from services.gateway.access import Identity, Permission
from services.gateway.connection.connection import Connection
from services.gateway.connection.parts import Parts
from services.gateway.core.refusals import Code, Refused
from services.gateway.limits import user_key

log = structlog.get_logger(__name__)

# Short of Kafka's patience: at a stop clients rather send again elsewhere than wait here.
DRAIN_S: Final = 5.0
CHECK_EVERY_S: Final = 1.0


class Connections:
    """Opens a connection for each WebSocket, and knows them all."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._open: set[Connection] = set()
        self.is_draining = False

    def refuse_while_draining(self) -> None:
        """Raise Refused once the gateway stops."""
        if self.is_draining:
            raise Refused(Code.DRAINING, "this gateway is stopping: connect again", 1_000)

    async def serve(self, socket: WebSocket, conversation_id: str, caller: Identity | None) -> None:
        """Serve one WebSocket to its end; raises Refused before it is accepted.

        The caller is None where a hello has yet to say who it is.
        """
        connection = Connection(socket, conversation_id, caller, self._parts)
        limits = self._parts.limits
        limits.admit(connection.connection_id, socket.client.host if socket.client else "")
        self._open.add(connection)
        metrics.CONNECTIONS.set(len(self._open))
        try:
            # A server talks for many users, who are counted when it names them.
            if caller is not None and not caller.may(Permission.ANSWER):
                limits.name(connection.connection_id, user_key(caller.tenant_id, caller.user_id))
            await connection.run()
        finally:
            limits.leave(connection.connection_id)
            self._open.discard(connection)
            metrics.CONNECTIONS.set(len(self._open))

    async def run(self, stop: asyncio.Event) -> None:
        """Send away whose token has expired or was revoked, until `stop`."""
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            await asyncio.wait({stopping}, timeout=CHECK_EVERY_S)
            holds = self._parts.access.holds
            stale = [one for one in self._open if one.identity and not holds(one.identity)]
            await asyncio.gather(*(one.expire() for one in stale))

    async def drain(self) -> None:
        """Tell every client to go elsewhere and answer what is in flight, within 5 seconds."""
        self.is_draining = True
        drained = asyncio.gather(*(connection.drain() for connection in self._open))
        try:
            async with asyncio.timeout(DRAIN_S):
                await drained
        except TimeoutError:
            log.warning("drained_in_part", connections=len(self._open))
