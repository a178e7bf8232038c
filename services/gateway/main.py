"""The gateway: conversations in over WebSocket and HTTP, into the log, acknowledged."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog

from parley.db import pool as database
from parley.health import Health
from parley.ids import random_id
from parley.lifecycle import WebSocketLimits, run_service, serve
from parley.log.admin import incarnation_of
from parley.log.config_tail import ConfigTail
from parley.log.producer import Producer
from parley.policies import Policies
from parley.topics import Topic
from services.gateway import client_faults
from services.gateway.access import Access, Registry, require_loopback
from services.gateway.api.app import build_app
from services.gateway.api.import_log import ImportLog
from services.gateway.connection.connection import HEARTBEAT_S
from services.gateway.connection.connections import Connections
from services.gateway.connection.hurried_http import HurriedHttp
from services.gateway.connection.parts import Parts
from services.gateway.connection.web_socket import DirectWebSocket
from services.gateway.limits import Limits
from services.gateway.responder.answering import Answering
from services.gateway.responder.responder import Responder
from services.gateway.rooms.rooms import Rooms
from services.gateway.rooms.snapshots import Snapshots
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.store import Store
from services.gateway.stream import Publisher
from services.gateway.tail.tail import Tail
from services.gateway.talk import Talk

log = structlog.get_logger(__name__)

# The producer flushes as long as Kafka is there; without it there is nothing to wait for.
FLUSH_S: Final = 3.0
# How long answers that are under way may still take when it stops.
ANSWER_PATIENCE_S: Final = 10.0
# A producer has one request under way to a broker: the other one's is on its way meanwhile.
PRODUCERS: Final = 2


async def start(settings: GatewaySettings, stop: asyncio.Event) -> None:
    """Run until `stop`: drain the connections, flush, and leave."""
    require_loopback(settings)
    client_faults.hide()
    producers = [Producer(settings) for _ in range(PRODUCERS)]
    try:
        await asyncio.gather(*(producer.start() for producer in producers))
        incarnation = await incarnation_of(settings, settings.topic(Topic.EVENTS))
        # Connects when somebody reads: without PostgreSQL messages are taken all the same.
        async with await database.connect(settings, min_size=0) as pool:
            await _serve(settings, stop, producers, incarnation, pool)
    finally:
        await asyncio.gather(*(_flush(producer) for producer in producers))


async def _serve(
    settings: GatewaySettings,
    stop: asyncio.Event,
    producers: Sequence[Producer],
    incarnation: str,
    pool: database.Pool,
) -> None:
    producer = producers[0]
    partition_count = await producer.partition_count(settings.topic(Topic.EVENTS))
    registry = Registry(Policies(settings.gap_policies()))
    config = ConfigTail(settings, registry)
    tail = Tail(settings)
    publisher = Publisher(
        producers,
        settings,
        registry.policies,
        incarnation,
        random_id(),
        partition_count,
        tail.take_own,
    )
    sessions = Sessions(settings, publisher)
    snapshots = Snapshots(pool, settings, incarnation)
    rooms = Rooms(settings, publisher, snapshots, tail, incarnation)
    talk = Talk(rooms, publisher, snapshots)
    access = Access(settings, registry)
    limits = Limits(settings)
    connections = Connections(
        Parts(settings, publisher, sessions, rooms, snapshots, talk, limits, access)
    )
    store = Store(pool, settings)
    responder = Responder(settings)
    answering = Answering(talk, responder, store, settings)
    health = Health(
        "gateway",
        checks={"kafka": producer.check, "log_tail": tail.check, "postgres": store.check},
        optional=frozenset({"postgres"}),
        facts=lambda: {"conversation_tracker": _facts(publisher, sessions, connections)},
    )
    app = build_app(
        settings,
        publisher,
        sessions,
        connections,
        store,
        talk,
        access,
        health,
        limits=limits,
        answering=answering,
        imports=ImportLog(publisher, producer, settings, incarnation, partition_count),
    )

    drained = asyncio.Event()

    async def drain() -> None:
        health.is_stopping = True
        try:
            await asyncio.gather(connections.drain(), answering.drain(ANSWER_PATIENCE_S))
        finally:
            drained.set()

    async def follow(_stop: asyncio.Event) -> None:
        # What is in flight waits for the decisions of the log.
        await rooms.follow(drained)

    if not access.is_on:
        log.warning("access_control_off", address=settings.http_host)
    await config.start()
    await tail.start(await snapshots.fences())
    try:
        await serve(
            app,
            settings,
            stop,
            sessions.run,
            rooms.run,
            follow,
            connections.run,
            config.run,
            access.run,
            drain=drain,
            limits=WebSocketLimits(settings.gateway_max_frame_bytes, HEARTBEAT_S, HEARTBEAT_S),
            web_socket=DirectWebSocket,
            http=HurriedHttp,
        )
    finally:
        await responder.close()
        await config.close()
        await tail.stop()


def _facts(publisher: Publisher, sessions: Sessions, connections: Connections) -> dict[str, Any]:
    return {
        "queue_depth": publisher.unacknowledged,
        "queue_max_size": publisher.max_unacknowledged,
        "queue_utilization": publisher.unacknowledged / publisher.max_unacknowledged,
        "active_sessions": sessions.present_count,
        "total_sessions": sessions.started_count,
        "worker_running": not connections.is_draining,
    }


async def _flush(producer: Producer) -> None:
    try:
        async with asyncio.timeout(FLUSH_S):
            await producer.stop()
    except TimeoutError:
        # None of it was acknowledged to anybody, so nobody counts on it.
        log.warning("stopped_unflushed", reason="Kafka does not answer")


def main() -> None:
    """Be the gateway's process."""
    run_service("gateway", GatewaySettings, start)


if __name__ == "__main__":
    main()
