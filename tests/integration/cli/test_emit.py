"""`parley emit` on a real log: what was written by hand lies where it says."""

import json
from pathlib import Path

import pytest

from parley.codec import decode_event
from parley.events import MessageRecorded, SessionEnded, SessionStarted
from parley.settings import Settings
from parley.topics import Topic
from tests.support.command import run_here
from tests.support.topics import read_records

pytestmark = pytest.mark.integration


async def test_what_is_emitted_lies_where_the_command_says(
    settings: Settings, tmp_path: Path
) -> None:
    shown = await run_here(
        settings, "emit", "message", "c", "--text", "Hi", "--dry-run", "-o", "json"
    )
    assert (shown.exit_code, "textLength" in shown.output) == (0, True)
    assert await read_records(settings, Topic.EVENTS) == []

    await run_here(settings, "emit", "session-start", "c", "--session", "s")
    said = await run_here(settings, "emit", "message", "c", "--text", "Hi", "-o", "json")
    file = tmp_path / "event.json"
    end = {"generation": 1, "reason": "SESSION_END_REASON_EXPLICIT"}
    event = {"tenantId": "default", "conversationId": "c", "sessionId": "s", "sessionEnded": end}
    file.write_text(json.dumps({**event, "colour": "red"}))
    refused = await run_here(settings, "emit", "--file", str(file))
    assert "colour" in refused.output + str(refused.exception)
    file.write_text(json.dumps(event))
    assert (await run_here(settings, "emit", "--file", str(file))).exit_code == 0

    records = await read_records(settings, Topic.EVENTS)
    kinds = [type(decode_event(one).body) for one in records]
    assert kinds == [SessionStarted, MessageRecorded, SessionEnded]
    place = json.loads(said.stdout)
    assert (place["partition"], place["offset"]) == (records[1].partition, records[1].offset)
    assert place["event_id"] == decode_event(records[1]).event_id
