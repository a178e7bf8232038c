"""What goes wrong becomes an alert in Prometheus, and reaches Alertmanager; and it ends again."""

import json
from asyncio import create_task, to_thread
from urllib.request import urlopen

import pytest

from tests.compose.project import SCALE, Project
from tests.compose.talk import PATIENCE_S, talking
from tests.support.wait import eventually

pytestmark = pytest.mark.compose

# As somebody who changes a large table by hand would; the persister waits, and loses nothing.
HELD = "BEGIN; LOCK TABLE conversation_messages IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({})"
HELD_S = 60


def _alerts(project: Project, name: str) -> list[dict[str, str]]:
    """The labels of those that Alertmanager holds to be active."""
    url = f"{project.url('alertmanager', 9093)}/api/v2/alerts?active=true"
    with urlopen(url, timeout=10) as answer:  # noqa: S310 - a loopback URL of our own
        labels = [one["labels"] for one in json.load(answer)]
    return [one for one in labels if one["alertname"] == name]


async def test_a_persister_that_lags_is_told_of_until_it_has_caught_up(scaled: Project) -> None:
    async with talking(scaled) as talk:
        text = HELD.format(HELD_S)
        psql = ("exec", "-T", "postgres", "psql", "-U", "parley", "-d", "parley", "-Xqc", text)
        holding = create_task(to_thread(scaled.compose, *psql))

        async def lags() -> bool:
            found = await to_thread(_alerts, scaled, "ParleyConsumerLagging")
            return "persister" in {one["consumer"] for one in found}

        await eventually(lags, HELD_S, every=1.0)
        # The gateways do not need the tables to acknowledge.
        await talk.goes_on()
        await holding

        async def is_over() -> bool:
            return not await lags()

        await eventually(is_over, PATIENCE_S, every=2.0)


async def test_a_service_that_nobody_runs_is_told_of_until_it_is_there_again(
    scaled: Project,
) -> None:
    async with talking(scaled) as talk:
        await to_thread(scaled.compose, "stop", "persister")

        async def is_missing() -> bool:
            found = await to_thread(_alerts, scaled, "ParleyServiceMissing")
            return "persister" in {one["service"] for one in found}

        await eventually(is_missing, PATIENCE_S, every=1.0)
        await talk.goes_on()
        await to_thread(scaled.up, **SCALE)

        async def is_back() -> bool:
            return not await is_missing()

        await eventually(is_back, PATIENCE_S, every=2.0)
