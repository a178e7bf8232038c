"""`parley policy` on a real log: set while a gateway runs, and previewed over what was said."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from parley import clock
from parley.codec import decode_seal
from parley.db.schema.analysis import verdicts
from parley.events import Event, Policy
from parley.log.admin import incarnation_of
from parley.seals import SegmentSealed
from parley.settings import Settings
from parley.topics import Topic
from services.sealer.core.comparing import Stretch
from services.sealer.preview.folding import Fold
from services.sealer.reading import read
from tests.integration.cli.imports import events, messages
from tests.integration.gateway.clients import connected
from tests.integration.gateway.rows import insert
from tests.support.command import json_here
from tests.support.processes import ServiceProcess
from tests.support.publish import message, publish
from tests.support.topics import read_records, read_values
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

# What docs/sealing.md promises of every gateway.
WITHIN_S = 1.0
SETTINGS = '{"phone": {"idle_gap": "PT1S", "grace": "PT0.5S"}}'


async def as_json(settings: Settings, *arguments: str) -> Any:
    return await json_here(settings, "policy", *arguments)


async def policy_of(settings: Settings, name: str) -> Policy:
    found = [one for one in messages(await events(settings)) if one.client_message_id == name]
    return found[0].policy


async def test_a_policy_that_is_set_counts_on_open_connections_and_for_nothing_of_the_past(
    settings: Settings, pool: Any
) -> None:
    with ServiceProcess("gateway", settings, PARLEY_CHANNEL_POLICIES=SETTINGS) as gateway:
        async with connected(gateway, "old") as old, connected(gateway, "new") as new:
            await old.hello(channel="phone", client_id="me")
            await new.hello(channel="phone", client_id="me")
            await old.said("before")
            made = await as_json(settings, "set", "--channel", "phone", "--idle-gap", "20m")
            await asyncio.sleep(WITHIN_S)
            await new.said("after")
            again = await as_json(settings, "set", "--channel", "phone", "--grace", "5s")
            await asyncio.sleep(WITHIN_S)
            await new.said("later")
    assert (made["policy_id"], made["version"], made["by"] != "") == ("channel:phone", 2, True)
    assert (again["version"], again["idle_gap"], again["grace"]) == (3, "20m", "5s")
    before, after, later = [await policy_of(settings, one) for one in ("before", "after", "later")]
    assert (before.version, before.idle_gap) == (1, timedelta(seconds=1))
    assert (after.policy_id, after.version) == ("channel:phone", 2)
    assert (after.idle_gap, after.grace) == (timedelta(minutes=20), timedelta(minutes=1))
    assert (later.version, later.grace) == (3, timedelta(seconds=5))

    # Sealed by a sealer that starts only now: each by what it carries.
    with ServiceProcess("sealer", settings):
        await eventually(lambda: sealed(settings))
        seals = await sealed(settings)
        still_open = await pool.fetch("SELECT conversation_id, deadline FROM sealer_windows")
    assert [(one.conversation_id, one.policy_version) for one in seals] == [("old", 1)]
    assert [one["conversation_id"] for one in still_open] == ["new"]
    assert still_open[0]["deadline"] - clock.now() > timedelta(minutes=19)


async def sealed(settings: Settings) -> list[SegmentSealed]:
    seals = [decode_seal(one) for one in await read_values(settings, Topic.SEALS)]
    return [one for one in seals if isinstance(one, SegmentSealed)]


async def test_a_version_is_set_once_and_withdrawn_by_the_next(settings: Settings) -> None:
    await as_json(settings, "set", "--idle-gap", "40m")
    # It says so already: there is no further version.
    assert (await as_json(settings, "set", "--idle-gap", "40m"))["version"] == 2
    withdrawn = await as_json(settings, "withdraw")
    assert (withdrawn["version"], withdrawn["state"]) == (3, "withdrawn")
    listed = await as_json(settings, "list", "--all")
    assert [(one["version"], one["state"], one["from"]) for one in listed] == [
        (3, "withdrawn", "topic"),
        (2, "replaced", "topic"),
        (1, "in force", "setting"),
    ]


# --- previews -------------------------------------------------------------------------------------


def history() -> list[Event]:
    """Two stretches an hour apart in each of three conversations, by two channels."""
    began_at = clock.now() - timedelta(hours=3)
    return [
        replace(
            message(f"c{number}", one, at=began_at + timedelta(minutes=minutes)),
            channel="phone" if number == 0 else "chat",
        )
        for number in range(3)
        for one, minutes in enumerate((0, 20, 60, 80))
    ]


async def stretches(settings: Settings) -> list[Stretch]:
    """What a sealer makes of the log."""
    incarnation = await incarnation_of(settings, settings.topic(Topic.EVENTS))
    folds = {number: Fold(incarnation, number) for number in range(settings.partitions)}
    for record in await read_records(settings, Topic.EVENTS):
        event, append_time = read(record)
        folds[record.partition].observe(event, append_time, record.offset)
    for fold in folds.values():
        fold.close_all()
    found = [fold.segments for fold in folds.values()]
    return [one for by_key in found for known in by_key.values() for one in known.values()]


async def test_a_preview_of_what_counts_finds_nothing_and_of_another_what_would_change(
    settings: Settings, pool: Any
) -> None:
    await publish(settings, history())
    for one in await stretches(settings):
        began_at = clock.now()
        await insert(
            pool,
            verdicts,
            segment_id=one.segment_id,
            revision=one.revision,
            pass_name="mood",
            started_at=began_at,
            ended_at=began_at + timedelta(seconds=2),
        )
    same = await as_json(settings, "preview")
    assert same["passes"] == []
    assert [
        (one["channel"], one["before"], one["after"], one["unchanged"]) for one in same["channels"]
    ] == [("chat", 2, 2, 2), ("phone", 1, 1, 1)]

    shorter = await as_json(settings, "preview", "--channel", "chat", "--idle-gap", "30m")
    assert [
        (one["channel"], one["before"], one["after"], one["split"]) for one in shorter["channels"]
    ] == [("chat", 2, 4, 2)]
    [cost] = shorter["passes"]
    assert (cost["pass"], cost["verdicts"], cost["runs"]) == ("mood", 2, 4)
    assert (cost["seconds"], cost["expected_seconds"]) == (4, 8)

    # Nothing was set by it.
    assert [one["from"] for one in await as_json(settings, "list")] == ["setting"]
