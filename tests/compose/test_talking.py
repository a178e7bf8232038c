"""What is said through the proxy to any of three gateways is stored, sealed and analysed."""

import asyncio
import json
from typing import Any
from urllib.request import urlopen

import pytest

from parley.client import Tracker
from parley.ids import random_id
from tests.compose.project import SCALE, SERVICES, Project
from tests.compose.talk import PATIENCE_S, not_seen_by_both, talking
from tests.support.wait import eventually

pytestmark = pytest.mark.compose

SEGMENTS = """
SELECT message_count FROM current_segments WHERE conversation_id = '{}'
"""
VERDICTS = """
SELECT pass_name FROM verdicts WHERE conversation_id = '{}'
"""


def _json(url: str) -> Any:
    with urlopen(url, timeout=10) as answer:  # noqa: S310 - a loopback URL of our own
        return json.load(answer)


async def test_everything_comes_up_as_often_as_asked(scaled: Project) -> None:
    running = {name: len(scaled.containers(name)) for name in (*SERVICES, "proxy")}
    assert running == {**SCALE, "activity": 1, "proxy": 1}


async def test_a_tracked_talk_is_sealed_and_has_its_verdicts(scaled: Project) -> None:
    conversation = f"tracked-{random_id()[:8]}"
    with Tracker(scaled.url("proxy", 8080)) as tracker:
        session = tracker.start_session(conversation, user_id="ada", channel="demo")
        for number in range(6):
            role = "assistant" if number % 2 else "user"
            assert tracker.track_message(session, role, f"sentence number {number}")
        assert tracker.end_session(session)
        report = await asyncio.to_thread(tracker.close, 30.0)
    assert (report.acknowledged, report.unacknowledged) == (6, {})

    async def verdicts() -> set[str]:
        return {row["pass_name"] for row in scaled.rows(VERDICTS.format(conversation))}

    assert await eventually(verdicts, PATIENCE_S, every=1.0)
    sealed = scaled.rows(SEGMENTS.format(conversation))
    assert [row["message_count"] for row in sealed] == [6]


async def test_all_gateways_show_the_two_of_a_conversation_the_same(scaled: Project) -> None:
    async with talking(scaled) as talk:
        # From here on both of each conversation are there, and until the end they hear more.
        before = talk.acknowledged().keys()
        await talk.goes_on(100)
        said = talk.acknowledged().keys() - before
        spread = [await _connections(scaled, one) for one in scaled.containers("gateway")]
        # By the fewest connections, so that no gateway stays without any.
        assert min(spread) >= 1 and sum(spread) >= len(talk.clients), spread
    assert len(said) >= 100
    assert not_seen_by_both(talk.clients, said) == set()


async def _connections(project: Project, container: str) -> int:
    text = project.docker("exec", container, "python", "-c", _METRICS)
    line = next(one for one in text.splitlines() if one.startswith("parley_gateway_connections "))
    return int(float(line.split()[1]))


_METRICS = """
import urllib.request as u
print(u.urlopen("http://127.0.0.1:8080/metrics").read().decode())
"""


async def test_prometheus_finds_and_reads_every_replica(scaled: Project) -> None:
    url = f"{scaled.url('prometheus', 9090)}/api/v1/query?query=up"
    expected = {**SCALE, "activity": 1}

    async def are_all_read() -> bool:
        found = _json(url)["data"]["result"]
        up = [one["metric"].get("service") for one in found if one["value"][1] == "1"]
        jobs = {one["metric"]["job"] for one in found if one["value"][1] == "1"}
        return {name: up.count(name) for name in SERVICES} == expected and {
            "proxy",
            "alertmanager",
        } <= jobs

    await eventually(are_all_read, PATIENCE_S, every=1.0)
    managers = _json(f"{scaled.url('prometheus', 9090)}/api/v1/alertmanagers")
    assert len(managers["data"]["activeAlertmanagers"]) == 1


async def test_alertmanager_and_grafana_answer(scaled: Project) -> None:
    assert _json(f"{scaled.url('alertmanager', 9093)}/api/v2/status")["config"]["original"]
    assert _json(f"{scaled.url('grafana', 3000)}/api/health")["database"] == "ok"
