"""A real broker tells how much room its log has, and how much of it the topics take."""

import pytest
from prometheus_client import REGISTRY

from parley.log import disk
from parley.log.disk import DiskGauge, log_dirs
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.support.publish import message, publish
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


def exported(name: str) -> dict[tuple[str, ...], float]:
    """The gauge's values by its labels."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in REGISTRY.collect()
        if family.name == name
        for sample in family.samples
    }


async def test_the_brokers_disk_and_the_topics_sizes_are_exported_while_it_answers(
    settings: Settings,
) -> None:
    await publish(settings, [message("c", number) for number in range(100)])
    producer = Producer(settings)
    await producer.start()
    gauge = DiskGauge(producer, settings)
    try:
        ours = {settings.topic(topic) for topic in Topic}
        # A broker makes a new topic's folders some time after it was created.
        await eventually(lambda: _has_folders(producer, ours))
        await gauge.look()
        sizes, usable = (exported(one._name) for one in (disk.DISK_SIZE, disk.DISK_USABLE))
        assert sizes.keys() == usable.keys()
        assert all(0 < usable[place] <= sizes[place] for place in sizes)
        topics = {topic: size for (_, topic), size in exported(disk.TOPIC_SIZE._name).items()}
        # Nobody else's.
        assert topics.keys() == ours
        assert topics[settings.topic(Topic.EVENTS)] > 1_000 > topics[settings.topic(Topic.SEALS)]
        assert await log_dirs(producer.client(), 1)
    finally:
        await producer.stop()


async def _has_folders(producer: Producer, topics: set[str]) -> bool:
    """Whether the broker has folders for all of them."""
    folders = await log_dirs(producer.client(), 1)
    return topics <= {topic for folder in folders for topic in folder.topic_bytes}
