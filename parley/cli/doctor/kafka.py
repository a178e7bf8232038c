"""Checks the broker and the topics' configuration."""

from typing import Any, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from parley import clock
from parley.cli.doctor.findings import Finding, fail, failed, ok, warn
from parley.cli.running import as_user_error
from parley.errors import UserError
from parley.log.admin import admin_client, topic_configs
from parley.settings import Settings
from parley.topics import SPECS, TopicSpec

_SUBJECT: Final = "kafka"


async def check_kafka(settings: Settings) -> list[Finding]:
    """Whether the broker answers, and every topic is there and set up as it should be."""
    started_at = clock.monotonic()
    try:
        async with admin_client(settings) as admin:
            described = await admin.describe_topics()
            latency_ms = 1000 * (clock.monotonic() - started_at)
            present = {one["topic"] for one in described if one["error_code"] == 0}
            found = [ok(_SUBJECT, f"{settings.kafka_bootstrap} answers in {latency_ms:.0f} ms")]
            return found + await _topics(admin, settings, present)
    except (UserError, KafkaError, OSError) as error:
        return [failed(_SUBJECT, as_user_error(error))]


async def _topics(admin: Any, settings: Settings, present: set[str]) -> list[Finding]:
    missing = [
        settings.topic(one.topic) for one in SPECS if settings.topic(one.topic) not in present
    ]
    there = [one for one in SPECS if settings.topic(one.topic) in present]
    found = []
    if missing:
        found.append(fail("topics", f"missing: {', '.join(missing)}", "Run `parley topics apply`."))
    configs = await _configs(admin, [settings.topic(one.topic) for one in there])
    for spec in there:
        found += _differences(settings, spec, configs[settings.topic(spec.topic)])
    if not found:
        found.append(ok("topics", f"all {len(SPECS)} are there and set up as they should be"))
    return found


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
    name = settings.topic(spec.topic)
    return [
        warn(
            "topics",
            f"{name}: {key} is {actual.get(key)}, not {wanted}",
            f"kafka-configs.sh --alter --entity-type topics --entity-name {name} "
            f"--add-config {key}={wanted}",
        )
        for key, wanted in topic_configs(settings, spec).items()
        if actual.get(key) != wanted
    ]
