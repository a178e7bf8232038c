"""Services are scaled up and down, and upgraded, while people talk."""

from asyncio import to_thread

import pytest

from tests.compose.project import SCALE, Project
from tests.compose.talk import talking

pytestmark = pytest.mark.compose


async def test_services_are_scaled_up_and_down_under_traffic(scaled: Project) -> None:
    async with talking(scaled) as talk:
        for scale in ({"gateway": 1, "persister": 1}, {"persister": 3, "sealer": 3}, SCALE):
            wanted = {**SCALE, **scale}
            await to_thread(scaled.up, **wanted)
            assert {name: len(scaled.containers(name)) for name in wanted} == wanted
            await talk.goes_on()
