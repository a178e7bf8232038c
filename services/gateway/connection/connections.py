"""All WebSockets of this gateway: counted, and drained together."""

import asyncio
from typing import Final

import structlog
from fastapi import WebSocket

from services.gateway import metrics
from services.gateway.connection.connection import Connection
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Publisher

log = structlog.get_logger(__name__)

# Short of Kafka's patience: at a stop clients rather send again elsewhere than wait here.
DRAIN_S: Final = 5.0


class Connections:
    """Opens a connection for each WebSocket, and knows them all."""

    def __init__(self, settings: GatewaySettings, publisher: Publisher, sessions: Sessions) -> None:
        self._settings = settings
        self._publisher = publisher
        self._sessions = sessions
        self._open: set[Connection] = set()
        self.is_draining = False

    async def serve(self, socket: WebSocket, conversation_id: str) -> None:
        """Serve one WebSocket to its end."""
        connection = Connection(
            socket, conversation_id, self._settings, self._publisher, self._sessions
        )
        self._open.add(connection)
        metrics.CONNECTIONS.set(len(self._open))
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
            metrics.CONNECTIONS.set(len(self._open))

    async def drain(self) -> None:
        """Tell every client to go elsewhere and answer what is in flight, within 5 seconds."""
        self.is_draining = True
        drained = asyncio.gather(*(connection.drain() for connection in self._open))
        try:
            async with asyncio.timeout(DRAIN_S):
                await drained
        except TimeoutError:
            log.warning("drained_in_part", connections=len(self._open))
