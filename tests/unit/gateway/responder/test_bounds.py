"""How many answers there are at once, and how they end with their gateway."""

import asyncio

import pytest

from parley.ids import derived_id
from services.gateway.core.refusals import Code, Refused
from services.gateway.responder.answering import Asked
from tests.unit.gateway.responder.scene import ASKED, SOURCE, Scene
from tests.unit.gateway.states import ERROR, WAITING


async def test_past_the_bound_it_is_overloaded_until_an_answer_is_done() -> None:
    scene = Scene(gateway_responder_max_concurrent=2)
    scene.responder.answers.clear()
    under_way = [scene.answering.start(Asked(SOURCE, derived_id(one), "?")) for one in "ab"]
    for ask in (scene.answering.refuse_when_full, lambda: scene.answering.start(ASKED)):
        with pytest.raises(Refused) as refused:
            ask()
        assert refused.value.code is Code.OVERLOADED
        assert refused.value.retry_after_ms
    scene.responder.answers.set()
    assert None not in await asyncio.gather(*under_way)
    assert await scene.answer() is not None


async def test_a_drain_lets_an_answer_finish() -> None:
    scene = Scene()
    scene.responder.answers.clear()
    task = scene.answering.start(ASKED)
    await asyncio.sleep(0.01)
    draining = asyncio.create_task(scene.answering.drain(5))
    await asyncio.sleep(0.01)
    with pytest.raises(Refused) as refused:
        scene.answering.start(ASKED)
    assert refused.value.code is Code.DRAINING
    scene.responder.answers.set()
    await draining
    assert await task is not None


async def test_a_drain_gives_up_an_answer_that_takes_too_long_and_says_so() -> None:
    scene = Scene()
    scene.responder.answers.clear()
    task = scene.answering.start(ASKED)
    await asyncio.sleep(0.01)
    await scene.answering.drain(0.01)
    assert task.done()
    assert task.result() is None
    assert scene.talk.passed[-2:] == [ERROR, WAITING]
    assert "responder: draining" in scene.talk.causes


async def test_a_drain_ends_although_kafka_hangs() -> None:
    scene = Scene()

    scene.talk.hangs = True
    task = scene.answering.start(ASKED)
    await asyncio.sleep(0.01)
    await scene.answering.drain(0.01)
    assert task.cancelled()
