"""Checks the broker and the topics' configuration."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from parley import clock
from parley.cli.doctor.findings import Finding, check_latency, fail, failed, ok, warn
from parley.cli.running import as_user_error
from parley.codec import MAX_RECORD_BYTES
from parley.errors import UserError
from parley.log.access import kafka_options
from parley.log.admin import admin_client, topic_configs
from parley.log.disk import LogDir, log_dirs
from parley.settings import Settings
from parley.topics import FOREVER, SPECS, TopicSpec

_SUBJECT: Final = "kafka"
_TIMESTAMPS: Final = "message.timestamp.type"
_RETENTION: Final = "retention.ms"
_MAX_BYTES: Final = "max.message.bytes"
# Of a batch of one record; Kafka's default for a topic is 1,048,588.
BATCH_OVERHEAD_BYTES: Final = 1_024
# As the alerts have it.
LITTLE_ROOM: Final = 0.15
TOO_LITTLE_ROOM: Final = 0.05


async def check_kafka(settings: Settings) -> list[Finding]:
    """Whether the broker answers, and every topic is there and set up as it should be."""
    started_at = clock.monotonic()
    try:
        async with admin_client(settings) as admin:
            described = await admin.describe_topics()
            latency_s = clock.monotonic() - started_at
            present = {
                one["topic"]: one["partitions"] for one in described if one["error_code"] == 0
            }
            found = [check_latency(_SUBJECT, settings.kafka_bootstrap, latency_s)]
            found += await _topics(admin, settings, present)
            return found + await _disks(settings)
    except (UserError, KafkaError, OSError) as error:
        return [failed(_SUBJECT, as_user_error(error))]


async def _topics(admin: Any, settings: Settings, present: dict[str, Any]) -> list[Finding]:
    missing = [
        settings.topic(one.topic) for one in SPECS if settings.topic(one.topic) not in present
    ]
    there = [one for one in SPECS if settings.topic(one.topic) in present]
    found = []
    if missing:
        found.append(fail("topics", f"missing: {', '.join(missing)}", "Run `parley topics apply`."))
    configs = await _configs(admin, [settings.topic(one.topic) for one in there])
    for spec in there:
        name = settings.topic(spec.topic)
        found += _differences(settings, spec, configs[name])
        found += check_replicas(name, present[name])
    if not found:
        found.append(ok("topics", f"all {len(SPECS)} are there and set up as they should be"))
    return found


async def _disks(settings: Settings) -> list[Finding]:
    client = AIOKafkaClient(**kafka_options(settings), client_id="parley")
    try:
        await client.bootstrap()
        brokers = sorted(one.nodeId for one in client.cluster.brokers())
        return check_log_disks({one: await log_dirs(client, one) for one in brokers})
    except KafkaError as error:
        text = f"the brokers do not tell how much room they have: {error or type(error).__name__}"
        return [warn("log disk", text, "It takes the right to Describe the cluster.")]
    finally:
        await client.close()


def check_log_disks(by_broker: Mapping[int, Sequence[LogDir]]) -> list[Finding]:
    """How much room the disks of the log have; what is unknown is left out."""
    found = []
    for broker, folders in by_broker.items():
        for one in folders:
            if one.size_bytes <= 0:
                continue
            share = one.usable_bytes / one.size_bytes
            text = f"broker {broker} has {share:.0%} of its disk left ({one.path})"
            remedy = "Give it more room: the events are kept for ever (docs/runbooks/log-disk.md)."
            if share < LITTLE_ROOM:
                too_little = share < TOO_LITTLE_ROOM
                found.append((fail if too_little else warn)("log disk", text, remedy))
    return found or [ok("log disk", "the brokers have room")]


async def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answers = await admin.describe_configs(wanted)
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }


def _differences(settings: Settings, spec: TopicSpec, actual: dict[str, str]) -> list[Finding]:
    wanted = topic_configs(settings, spec)
    return check_topic(settings.topic(spec.topic), spec, wanted, actual)


def check_topic(
    name: str, spec: TopicSpec, wanted: dict[str, str], actual: dict[str, str]
) -> list[Finding]:
    """What of a topic's configuration is not as it should be, and what that costs."""
    found = [
        _difference(name, spec, key, value, actual.get(key))
        for key, value in wanted.items()
        if actual.get(key) != value
    ]
    return found + _record_size(name, actual.get(_MAX_BYTES))


def _difference(name: str, spec: TopicSpec, key: str, wanted: str, is_now: str | None) -> Finding:
    text = f"{name}: {key} is {is_now}, not {wanted}"
    remedy = _alter(name, key, wanted)
    if key == _TIMESTAMPS:
        # Then clients' clocks decide when the log forgets, and when a segment is over.
        return fail("topics", f"{text}: records carry their clients' times", remedy)
    if key == _RETENTION and wanted == str(FOREVER):
        cost = "what is deleted can neither be replayed nor copied"
        return warn("topics", f"{text}: {cost}", f"docs/topics.md; to keep all: {remedy}")
    return warn("topics", text, remedy)


def _record_size(name: str, most_bytes: str | None) -> list[Finding]:
    if most_bytes is None or int(most_bytes) >= MAX_RECORD_BYTES + BATCH_OVERHEAD_BYTES:
        return []
    if int(most_bytes) == 0:
        text = f"{name} is closed ({_MAX_BYTES} is 0): it was copied, or is being copied"
        remedy = "Go on with `parley topics grow` or `repair`, or start services with its next name"
        return [fail("topics", text, f"{remedy}; `--abort` opens it again (docs/topics.md).")]
    wanted = str(MAX_RECORD_BYTES + BATCH_OVERHEAD_BYTES)
    text = f"{name}: {_MAX_BYTES} is {most_bytes}; Parley writes records up to {wanted} bytes"
    return [fail("topics", text, _alter(name, _MAX_BYTES, wanted))]


def _alter(name: str, key: str, wanted: str) -> str:
    return (
        f"kafka-configs.sh --alter --entity-type topics --entity-name {name} "
        f"--add-config {key}={wanted}"
    )


def check_replicas(name: str, partitions: list[dict[str, Any]]) -> list[Finding]:
    """Whether each partition has a leader and all its copies, by the broker's metadata."""
    leaderless = [one["partition"] for one in partitions if one["leader"] < 0]
    behind = [one["partition"] for one in partitions if len(one["isr"]) < len(one["replicas"])]
    if leaderless:
        text = f"{name}: partitions {_numbers(leaderless)} have no leader: nothing is taken there"
        return [fail("topics", text, "Bring the brokers back that hold them.")]
    if behind:
        text = f"{name}: partitions {_numbers(behind)} have fewer copies than they should"
        return [warn("topics", text, "Is a broker away, or its disk slow?")]
    return []


def _numbers(partitions: list[int]) -> str:
    return ", ".join(str(one) for one in sorted(partitions))
