"""`parley export` against real tables: every kind and format, filters, memory, the way back in."""

import asyncio
import gzip
import io
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from pyarrow import parquet

from parley.db import pool as database
from parley.exporting.jsonl import JsonLines
from parley.exporting.kinds import COLUMNS, Kind
from parley.exporting.parquet import ParquetRows
from parley.exporting.reading import Selection, read
from parley.settings import Settings
from tests.integration.cli.imports import rows, run, write
from tests.support.command import Command, said
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

MEMORY_BYTES = 40 * 1024 * 1024
DAY = "2024-05-01"
FILL = f"""
INSERT INTO conversations (tenant_id, conversation_id, first_event_at, last_event_at, channel,
                           metadata)
VALUES ('default', 'c1', '{DAY} 10:00Z', '{DAY} 10:30Z', 'phone', '{{"a": 1}}'),
       ('default', 'c2', '{DAY} 12:00Z', '{DAY} 12:30Z', 'web', NULL),
       ('acme', 'c1', '{DAY} 10:00Z', '{DAY} 10:30Z', 'phone', NULL);
INSERT INTO conversation_sessions (tenant_id, session_id, conversation_id, generation, started_at,
                                   last_event_at, ended_at, channel)
VALUES ('default', 's1', 'c1', 1, '{DAY} 10:00Z', '{DAY} 10:30Z', '{DAY} 10:30Z', 'phone');
INSERT INTO segments (tenant_id, segment_id, conversation_id, revision, started_at, ended_at,
                      message_count, cause, channel, is_retracted)
SELECT 'default', ('00000000-0000-0000-0000-00000000000' || one)::uuid, 'c1', 2, '{DAY} 10:00Z',
       '{DAY} 10:30Z', 3, 'idle', 'phone', one = 2
  FROM generate_series(1, 2) AS one;
INSERT INTO segment_revisions (tenant_id, segment_id, revision, previous_revision, conversation_id,
    cause, started_at, ended_at, first_event_id, last_event_id, message_count, member_digest,
    first_offset, last_offset, incarnation, partition, decided_offset, watermark, policy_id,
    policy_version, idle_gap, rule_version, opening_event_id, channel, participants, user_ids,
    retracted, sealed_at)
SELECT tenant_id, segment_id, revision - older, 0, conversation_id, cause, started_at, ended_at,
       segment_id, segment_id, 3, '', 0, 0, '', 0, 0, ended_at, 'default', 1, '90min', 1,
       segment_id, channel, '{{importer}}', '{{ann,bob}}', '[]', ended_at
  FROM segments, generate_series(0, 1) AS older;
INSERT INTO verdicts (tenant_id, segment_id, revision, pass_name, pass_version, conversation_id,
    fingerprint, member_digest, content_digest, output_schema_version, output, trigger,
    attempt_count, started_at, ended_at, worker_id)
SELECT tenant_id, segment_id, revision, 'mood', 1, conversation_id, '', '', '', 1,
       '{{"score": 0.5}}', 'seal', 1, sealed_at, sealed_at, ''
  FROM segment_revisions WHERE segment_id::text LIKE '%1';
INSERT INTO conversation_messages (tenant_id, id, conversation_id, session_id, is_user_inherited,
    sender, role, content, metadata, event_time, received_at, incarnation, partition, log_offset)
SELECT tenant_id, md5(tenant_id || conversation_id || one)::uuid, conversation_id,
       CASE WHEN tenant_id = 'default' AND conversation_id = 'c1' THEN 's1' END, false, 'x', 'user',
       'text ' || one, '{{"n": 12345678901234567890}}', first_event_at + one * interval '1 minute',
       now(), '', 0, one
  FROM conversations, generate_series(1, 3) AS one;
"""  # noqa: S608 - our own day
MANY = """
INSERT INTO conversation_messages (tenant_id, id, conversation_id, is_user_inherited, sender, role,
    content, event_time, received_at, incarnation, partition, log_offset)
SELECT 'default', md5(one::text)::uuid, 'c' || one % 1000, false, 'x', 'user',
       one || repeat(' so it was said', 100), now(), now(), '', 0, one
  FROM generate_series(1, {count}) AS one
"""


async def execute(settings: Settings, statement: str) -> None:
    pool = await database.connect(settings)
    try:
        await pool.execute(statement)
    finally:
        await pool.close()


async def exported(settings: Settings, kind: Kind, selection: Selection) -> tuple[bytes, bytes]:
    """The rows as JSONL and as Parquet."""
    lines, table = io.BytesIO(), io.BytesIO()
    writers = JsonLines(lines, COLUMNS[kind], is_gzip=False), ParquetRows(table, COLUMNS[kind])
    async for some in read(settings, kind, selection):
        for writer in writers:
            writer.write(some)
    for writer in writers:
        writer.close()
    return lines.getvalue(), table.getvalue()


async def rows_of(settings: Settings, kind: Kind, **selected: Any) -> list[dict[str, Any]]:
    lines, _ = await exported(settings, kind, Selection(**{"tenant_id": "default", **selected}))
    return [orjson.loads(line) for line in lines.splitlines()]


async def test_every_kind_is_exported_alike_in_both_formats(migrated: Settings) -> None:
    await execute(migrated, FILL)
    for kind, count in zip(Kind, (6, 2, 1, 1, 2), strict=True):
        lines, table = await exported(migrated, kind, Selection("default"))
        found = [orjson.loads(line) for line in lines.splitlines()]
        assert len(found) == count
        assert all(list(one) == list(COLUMNS[kind]) for one in found)
        assert [as_json(one) for one in parquet.read_table(io.BytesIO(table)).to_pylist()] == found
    verdicts = await rows_of(migrated, Kind.VERDICTS)
    assert {one["revision"]: one["is_current"] for one in verdicts} == {1: False, 2: True}


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    """A row of Parquet as it is in JSONL."""
    texts = {"metadata", "output"}
    return {
        name: orjson.loads(value)
        if name in texts and value is not None
        else f"{value:%Y-%m-%dT%H:%M:%S}{f'.{value:%f}' if value.microsecond else ''}Z"
        if isinstance(value, datetime)
        else value
        for name, value in row.items()
    }


CHOICES: list[tuple[dict[str, Any], list[str]]] = [
    ({"channel": "phone"}, ["c1 text 1", "c1 text 2", "c1 text 3"]),
    ({"conversation_id": "c2"}, ["c2 text 1", "c2 text 2", "c2 text 3"]),
    (
        {
            "since": datetime(2024, 5, 1, 10, 2, tzinfo=UTC),
            "until": datetime(2024, 5, 1, 12, 2, tzinfo=UTC),
        },
        ["c1 text 2", "c1 text 3", "c2 text 1"],
    ),
    ({"tenant_id": "acme"}, ["c1 text 1", "c1 text 2", "c1 text 3"]),
    ({"tenant_id": "nobody"}, []),
]


async def test_only_what_was_asked_for_is_exported(migrated: Settings) -> None:
    await execute(migrated, FILL)
    for selected, expected in CHOICES:
        found = await rows_of(migrated, Kind.MESSAGES, **selected)
        assert [f"{one['conversation_id']} {one['content']}" for one in found] == expected
    late = datetime(2024, 5, 1, 11, tzinfo=UTC)
    for kind, count in zip(Kind, (3, 1, 0, 0, 0), strict=True):
        assert len(await rows_of(migrated, kind, since=late)) == count


async def test_rows_are_those_of_one_moment(migrated: Settings) -> None:
    await execute(migrated, MANY.format(count=1_000))
    count = 0
    async for some in read(migrated, Kind.MESSAGES, Selection("default")):
        if not count:
            await execute(migrated, "UPDATE conversation_messages SET content = 'changed'")
            await execute(migrated, FILL)
        count += len(some)
        assert not [one for one in some if "changed" in one]
    assert count == 1_000


async def test_an_export_that_fails_leaves_the_file_that_was_there(
    migrated: Settings, parley: Command, tmp_path: Path
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("old")
    await execute(migrated, "DROP TABLE conversation_messages CASCADE")
    ended = await run(parley, "export", "messages", "-o", str(file))
    assert ended.returncode == 1
    assert "parley db upgrade" in said(ended)
    assert file.read_text() == "old"
    assert names_in(tmp_path) == ["a.jsonl"]


def names_in(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def peak_of(parley: Command, *arguments: str) -> int:
    """The most memory that the command took, in bytes."""
    process = parley.start_as_child(*arguments)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    stderr = process.stderr.read() if process.stderr else b""
    for pipe in (process.stdout, process.stderr):
        pipe and pipe.close()
    assert process.returncode == 0, stderr.decode()
    return usage.ru_maxrss * 1024


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.parquet"])
async def test_the_memory_of_an_export_does_not_grow_with_its_rows(
    migrated: Settings, parley: Command, tmp_path: Path, name: str
) -> None:
    file = str(tmp_path / name)
    # One row group and several batches, so that all buffers are full once.
    await execute(migrated, MANY.format(count=12_000))
    few = await asyncio.to_thread(peak_of, parley, "export", "-o", file)
    await execute(migrated, "TRUNCATE conversation_messages")
    await execute(migrated, MANY.format(count=100_000))
    many = await asyncio.to_thread(peak_of, parley, "export", "-o", file)
    assert many - few < MEMORY_BYTES, f"{few:,} bytes for 12,000 rows, {many:,} for 100,000"
    if name.endswith(".gz"):
        with gzip.open(file) as lines:
            assert sum(1 for _ in lines) == 100_000
    else:
        assert parquet.ParquetFile(file).metadata.num_rows == 100_000


async def test_who_reads_only_the_beginning_gets_it(migrated: Settings, parley: Command) -> None:
    await execute(migrated, MANY.format(count=5_000))
    process = parley.start("export", "messages", "-o", "-")
    assert process.stdout is not None
    first = await asyncio.to_thread(process.stdout.readline)
    assert orjson.loads(first)["conversation_id"] == "c0"
    process.stdout.close()
    process.stdout = None
    _, stderr = await asyncio.to_thread(process.communicate)
    assert process.returncode == 1
    assert b"Traceback" not in stderr


COPIED = (
    """
SELECT conversation_id, user_id, channel, first_event_at, last_event_at FROM conversations
 WHERE tenant_id = $1 ORDER BY 1
""",
    """
SELECT conversation_id, session_id, user_id, role, content, audio_url, metadata, language,
       event_time
  FROM conversation_messages WHERE tenant_id = $1 ORDER BY 1, 9, 5
""",
    """
SELECT session_id, conversation_id, user_id, message_count, last_event_at
  FROM conversation_sessions WHERE tenant_id = $1 ORDER BY 1
""",
)


async def test_exported_messages_come_in_again_as_the_same_conversations(
    settings: Settings, migrated: Settings, parley: Command, tmp_path: Path
) -> None:
    lines = [
        {
            **one,
            "session_id": f"s{number % 40}",
            "metadata": {"n": number, "text": 'é"\n'},
            "language": "en",
            "audio_url": f"https://example.com/{number}.ogg",
            "content": f"line {number}\n\u2028“odd” \U0001f600",
        }
        for number, one in enumerate(rows(400, conversations=20))
    ]
    pool = await database.connect(migrated)

    async def all_are_stored() -> bool:
        counts = await pool.fetch("SELECT count(*) FROM conversation_messages GROUP BY tenant_id")
        return bool(counts) and all(count == 400 for (count,) in counts)

    with ServiceProcess("persister", migrated):
        await bring_in(parley, write(tmp_path / "a.jsonl", lines), "default")
        await eventually(all_are_stored)
        file = str(tmp_path / "out.jsonl.gz")
        ended = await run(parley, "export", "messages", "-o", file)
        assert ended.returncode == 0, said(ended)
        await bring_in(parley, file, "copy")
        await eventually(lambda: pool.fetchval("SELECT count(*) = 800 FROM conversation_messages"))
    for query in COPIED:
        first, second = [
            [tuple(row) for row in await pool.fetch(query, tenant)]
            for tenant in ("default", "copy")
        ]
        assert first == second
        assert first
    await pool.close()


async def bring_in(parley: Command, file: str, tenant: str) -> None:
    ended: subprocess.CompletedProcess[bytes] = await run(
        parley, "import", "jsonl", file, "--no-wait", "--tenant", tenant
    )
    assert ended.returncode == 0, said(ended)
