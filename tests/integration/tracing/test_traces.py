"""One conversation is followed from a client's frame to its verdicts, by the spans alone."""

import json
from contextlib import ExitStack
from typing import Any, Final

import pytest

from parley.settings import Settings
from parley.topics import Topic
from tests.integration.gateway.clients import connected
from tests.support.collector import Collector, SeenSpan, collecting
from tests.support.passes import apply_shipped
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER: Final = "00f067aa0ba902b7"
POLICIES: Final = json.dumps({"quick": {"idle_gap": "PT1S", "grace": "PT0S"}})
STRANGE: Final[tuple[object, ...]] = (7, {}, "nonsense", "00-0-0-01", None)
SECRET: Final = "canary-of-what-was-said"


async def test_a_frame_leads_to_its_verdicts(settings: Settings, pool: Any) -> None:
    await apply_shipped(settings)
    with collecting() as collector, ExitStack() as running:
        given = {**collector.variables, "PARLEY_CHANNEL_POLICIES": POLICIES}
        services = {
            name: running.enter_context(ServiceProcess(name, settings, **given))
            for name in ("persister", "sealer", "analyzer", "gateway")
        }
        async with connected(services["gateway"], "c") as client:
            await client.hello(channel="quick")
            frame = {
                "type": "transcript_update",
                "id": "1",
                "traceparent": f"00-{TRACE}-{CALLER}-01",
                "payload": {"text": SECRET, "is_final": True},
            }
            await client.socket.send(json.dumps(frame))
            assert (await client.receive())["type"] == "ack"

        async def has_verdicts() -> bool:
            return bool(await pool.fetchval("SELECT count(*) >= 2 FROM verdicts"))

        await eventually(has_verdicts, timeout=60)
        sent = await _span(collector, "gateway", settings, Topic.EVENTS, parent=CALLER)
        assert sent.trace_id == TRACE
        stored = await _span(collector, "persister", settings, Topic.EVENTS, linked=sent)
        # A batch and a segment are nobody's child.
        assert (stored.parent_id, stored.trace_id != TRACE) == ("", True)
        await _span(collector, "sealer", settings, Topic.EVENTS, linked=sent)
        for consumer in ("persister", "analyzer"):
            read = await _span(collector, consumer, settings, Topic.SEALS)
            assert set(read.links) & {one.span_id for one in collector.spans("sealer")}
        told = await _span(collector, "persister", settings, Topic.ANALYSES)

        async def what_ran() -> list[SeenSpan]:
            runs = collector.spans("analyzer", "run passes")
            return [one for one in runs if one.span_id in told.links]

        ran = await eventually(what_ran)
        read_seals = {one.span_id for one in collector.spans("analyzer", "process")}
        assert {link for one in ran for link in one.links} <= read_seals
        assert all(one.links for one in ran)
        assert SECRET not in repr(collector.spans())


async def _span(
    collector: Collector,
    service: str,
    settings: Settings,
    topic: Topic,
    *,
    parent: str = "",
    linked: SeenSpan | None = None,
) -> SeenSpan:
    verb = "send" if service == "gateway" else "process"

    async def found() -> SeenSpan | None:
        for one in collector.spans(service, f"{verb} {settings.topic(topic)}"):
            if one.parent_id == parent and (linked is None or linked.span_id in one.links):
                return one
        return None

    span = await eventually(found)
    assert span is not None
    return span


async def test_a_traceparent_that_is_none_changes_nothing(settings: Settings) -> None:
    with (
        collecting() as collector,
        ServiceProcess("gateway", settings, **collector.variables) as gateway,
    ):
        async with connected(gateway, "c") as client:
            await client.hello()
            for number, strange in enumerate(STRANGE):
                frame = {
                    "type": "transcript_update",
                    "id": str(number),
                    "traceparent": strange,
                    "payload": {"text": "hello", "is_final": True},
                }
                await client.socket.send(json.dumps(frame))
                assert (await client.receive())["type"] == "ack"
