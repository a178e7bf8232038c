"""`parley import` of files against the real Kafka: ids, order, bad rows, interruptions, waiting."""

import asyncio
import csv
import gzip
import io
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from parley.db import pool as database
from parley.events import ImportFinished, ImportStarted, MessageRecorded
from parley.settings import Settings
from tests.integration.cli.imports import events, messages, record_count, rows, run, write
from tests.support.command import Command, said

pytestmark = pytest.mark.integration


async def test_a_file_is_imported_in_order_between_a_start_and_an_end_in_every_partition(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "chats.jsonl.gz", rows(500))
    ended = await run(parley, "import", "jsonl", file, "--no-wait")
    assert ended.returncode == 0, said(ended)
    found = await events(settings)
    import_ids = {event.import_id for _, event in found}
    assert len(import_ids) == 1
    assert None not in import_ids
    counts = 0
    for partition in range(settings.partitions):
        mine = [event for one, event in found if one == partition]
        assert isinstance(mine[0].body, ImportStarted)
        assert isinstance(mine[-1].body, ImportFinished)
        keys = [(one.conversation_id, one.event_time, one.event_id) for one in mine[1:-1]]
        assert all(one < other for one, other in pairwise(keys))
        assert mine[-1].body.event_count == len(keys)
        counts += mine[-1].body.conversation_count
    assert counts == 20
    assert len({one.event_id for one in messages(found)}) == 500


async def test_a_message_keeps_what_the_file_says(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    line = {
        **rows(2)[1],
        "occurred_at": "2004-12-26T03:21:00",
        "metadata": {"n": 9007199254740993},
        "audio_url": "https://example.com/a.ogg",
        "language": "en",
    }
    file = write(tmp_path / "one.jsonl", [line])
    ended = await run(
        parley, "import", "jsonl", file, "--no-wait", "--tenant", "acme", "--channel", "irc"
    )
    assert ended.returncode == 0, said(ended)
    (event,) = messages(await events(settings))
    assert (event.tenant_id, event.channel, event.sender) == ("acme", "irc", "importer")
    assert event.event_time.isoformat() == "2004-12-26T03:21:00+00:00"
    assert (event.client_message_id, event.user_id) == ("m1", "a1")
    assert isinstance(event.body, MessageRecorded)
    content = event.body.content
    assert orjson.loads(content.metadata_json) == {"author": "a1", "n": 9007199254740993}
    assert (content.audio_url, event.body.language) == ("https://example.com/a.ogg", "en")


async def test_a_second_import_publishes_no_message_again(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.jsonl", rows(100))
    shuffled = write(tmp_path / "b.jsonl", list(reversed(rows(100))))
    await run(parley, "import", "jsonl", file, "--no-wait")
    first = await events(settings)
    again = await run(parley, "import", "jsonl", shuffled, "--no-wait", "-o", "json")
    assert orjson.loads(again.stdout)["already_published"] == 100
    both = await events(settings)
    assert len(messages(both)) == len(messages(first)) == 100
    assert len(both) == len(first) + 2 * settings.partitions
    assert {one.import_id for _, one in both} == {one.import_id for _, one in first}
    totals = [one.body.event_count for _, one in both if isinstance(one.body, ImportFinished)]
    assert sum(totals) == 200


async def test_an_import_whose_bookmarks_were_lost_brings_the_same_ids(
    settings: Settings, parley: Command, migrated: Settings, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.jsonl", rows(100))
    await run(parley, "import", "jsonl", file, "--no-wait")
    pool = await database.connect(migrated)
    # One of another topic of that name, and one that the log does not reach.
    await pool.execute(
        "UPDATE operations.import_bookmarks SET incarnation = 'x' WHERE partition = 0"
    )
    await pool.execute(
        "UPDATE operations.import_bookmarks SET last_offset = 1000 WHERE partition = 1"
    )
    await pool.execute("DELETE FROM operations.import_bookmarks WHERE partition > 1")
    await pool.close()
    await run(parley, "import", "jsonl", file, "--no-wait")
    found = messages(await events(settings))
    assert len(found) == 200
    assert len({one.event_id for one in found}) == 100


async def test_csv_and_jsonl_of_the_same_messages_are_the_same_import(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    chats = rows(200)
    text = io.StringIO()
    table = csv.DictWriter(text, ["message_id", *chats[0]])
    table.writeheader()
    table.writerows(chats)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))
    first = await run(parley, "import", "csv", str(tmp_path / "a.csv.gz"), "--no-wait")
    assert first.returncode == 0, said(first)
    file = write(tmp_path / "a.jsonl", chats)
    again = await run(parley, "import", "jsonl", file, "--no-wait", "-o", "json")
    assert orjson.loads(again.stdout)["already_published"] == 200
    assert len(messages(await events(settings))) == 200


async def test_columns_of_other_names_are_mapped_and_bad_rows_named(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        "thread;role;content;sent\n"
        '1;user;"two\nlines";2024-05-01 12:00\n'
        "1;chief;a secret;2024-05-01 12:01\n"
    )
    columns = ("--map", "conversation_id=thread", "--map", "occurred_at=sent", "--delimiter", ";")
    refused = await run(parley, "import", "csv", str(file), *columns, "--no-wait")
    assert refused.returncode == 1
    assert "line 4: role is none of" in said(refused)
    assert "secret" not in said(refused)
    assert await record_count(settings) == 0
    ended = await run(parley, "import", "csv", str(file), *columns, "--no-wait", "--skip-bad")
    assert ended.returncode == 0, said(ended)
    [event] = messages(await events(settings))
    assert isinstance(event.body, MessageRecorded)
    assert event.body.content.text == "two\nlines"


async def test_with_a_bad_line_nothing_is_published_and_the_line_is_named(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    bad = {**rows(1)[0], "role": "a secret"}
    file = write(tmp_path / "bad.jsonl", [*rows(50), b"{broken", *rows(3), bad])
    ended = await run(parley, "import", "jsonl", file, "--no-wait")
    assert ended.returncode == 1
    assert "line 51: not valid JSON" in said(ended)
    assert "line 55: role is none of" in said(ended)
    assert "secret" not in said(ended)
    assert await record_count(settings) == 0


async def test_bad_lines_can_be_left_out(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "bad.jsonl", [*rows(50), b"{broken"])
    ended = await run(parley, "import", "jsonl", file, "--no-wait", "--skip-bad", "-o", "json")
    assert ended.returncode == 0, said(ended)
    facts = orjson.loads(ended.stdout)
    assert (facts["rows"], facts["left_out"], facts["messages"]) == (51, 1, 50)
    assert len(messages(await events(settings))) == 50


async def test_a_dry_run_publishes_nothing(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.jsonl", rows(10))
    facts = await asyncio.to_thread(parley.json, "import", "jsonl", file, "--dry-run")
    assert (facts["messages"], facts["conversations"]) == (10, 10)
    assert await record_count(settings) == 0


async def test_the_standard_input_is_imported(settings: Settings, parley: Command) -> None:
    text = b"\n".join(orjson.dumps(row) for row in rows(10))
    ended = await asyncio.to_thread(
        parley, "import", "jsonl", "-", "--no-wait", standard_input=text
    )
    assert ended.returncode == 0, said(ended)
    assert len(messages(await events(settings))) == 10


NO_IMPORTS = {
    "empty.jsonl": (b"", "holds no messages"),
    "cut.gz": (gzip.compress(b"{}\n" * 99)[:-10], "not a whole gzip file"),
    "latin.jsonl": ("é".encode("latin-1"), "not UTF-8"),
    "wide.jsonl": ("{}".encode("utf-16"), "UTF-16"),
    "missing.jsonl": (None, "Cannot read"),
    ".": (None, "Is a directory"),
}


async def test_what_is_no_import_is_named_and_nothing_is_published(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    for name, (content, expected) in NO_IMPORTS.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        ended = await run(parley, "import", "jsonl", str(tmp_path / name), "--no-wait")
        assert ended.returncode == 1
        assert expected in said(ended)
        assert "Traceback" not in said(ended)
    assert await record_count(settings) == 0


async def test_what_an_import_needs_is_checked_before_the_file_is_read(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    missing = ("import", "jsonl", str(tmp_path / "missing.jsonl"))
    for variables, expected in (
        ({"PARLEY_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "No Kafka at 127.0.0.1:1"),
        ({"PARLEY_TOPIC_PREFIX": "nowhere."}, "parley topics apply"),
        ({"DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/x"}, "Cannot use the database"),
        ({"DATABASE_URL": settings.database_url.get_secret_value()}, "parley db upgrade"),
    ):
        ended = await asyncio.to_thread(parley, *missing, variables=variables)
        assert ended.returncode == 1
        assert expected in said(ended)
        assert "hush" not in said(ended)
