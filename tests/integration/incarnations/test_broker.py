"""What Kafka does not give while a topic's next incarnation is made is waited for with an end."""

import pytest

from parley.errors import UserError
from parley.incarnations import broker
from parley.settings import Settings
from parley.topics import Topic

pytestmark = pytest.mark.integration


async def test_records_that_do_not_come_are_not_waited_for_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "STALL_S", 1.0)
    with pytest.raises(UserError, match="did not come"):
        async for _ in broker.read_partition(settings, settings.topic(Topic.EVENTS), 0, 0, 1):
            pytest.fail("the topic is empty")


async def test_a_successor_of_another_run_with_other_partitions_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "METADATA_TIMEOUT_S", 2.0)
    source = settings.topic(Topic.EVENTS)
    count = settings.partitions
    await broker.create_like(settings, source, f"{source}-2", count + 1)
    with pytest.raises(UserError, match=f"{count + 2} partitions, and has {count + 1}"):
        await broker.create_like(settings, source, f"{source}-2", count + 2)
    await broker.delete_topic(settings, f"{source}-2")
