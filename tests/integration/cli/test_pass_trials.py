"""`parley passes test` on real tables and a provider over HTTP: it shows all and stores nothing."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import pytest

from parley.db import pool as database
from parley.db.pool import Pool
from parley.db.schema.analysis import segment_revisions, segments
from parley.digests import Member, SpokenMember, member_digest
from parley.settings import Settings
from tests.integration.analyzer.stage import (
    DECIDED_OFFSET,
    INCARNATION,
    Tables,
    sealed,
    talk,
)
from tests.integration.gateway.rows import insert
from tests.support.command import Command, said
from tests.support.provider import Answers, Provider, Refuses, Says, running_provider

pytestmark = pytest.mark.integration

TALK = talk("c", 6)
SEGMENT = sealed("c", TALK).segment_id
ANSWER: dict[str, list[str]] = {"topics": []}


@pytest.fixture
async def filled(migrated: Settings) -> AsyncIterator[Settings]:
    """A segment of six messages, all stored."""
    pool = await database.connect(migrated)
    tables = Tables(pool, migrated)
    await tables.say("c", TALK)
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    await seal(pool, TALK)
    yield migrated
    await pool.close()


async def seal(pool: Pool, members: Sequence[SpokenMember], revision: int = 1) -> None:
    digest = member_digest(Member(one.event_id, one.content_version) for one in members)
    whole: dict[str, Any] = {
        "segment_id": SEGMENT,
        "revision": revision,
        "started_at": members[0].event_time,
        "ended_at": members[-1].event_time,
        "first_event_id": members[0].event_id,
        "last_event_id": members[-1].event_id,
        "message_count": len(members),
        "member_digest": digest,
        "incarnation": INCARNATION,
        "decided_offset": DECIDED_OFFSET,
    }
    await insert(pool, segment_revisions, **whole)
    await pool.execute("DELETE FROM segments")
    await insert(pool, segments, **whole)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running_provider() as made:
        yield made


async def tried(
    settings: Settings, *arguments: str, provider: Provider | None = None, **variables: str
) -> "subprocess.CompletedProcess[bytes]":
    """The command with its arguments, in a process of its own beside the provider's loop."""
    if provider is not None:
        variables |= {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "sk-canary"}
    line = ("passes", "test", *arguments, "--segment", SEGMENT)
    return await asyncio.to_thread(Command(settings), *line, variables=variables)


async def test_a_prompt_is_shown_as_it_is_sent_with_answer_tokens_and_cost(
    filled: Settings, provider: Provider
) -> None:
    provider.acts(Answers(ANSWER, input_tokens=1_000, output_tokens=100))
    ended = await tried(filled, "topics", "-o", "json", provider=provider)
    assert ended.returncode == 0, said(ended)
    report = orjson.loads(ended.stdout)
    assert provider.asked[0].turns == [
        ("system", report["prompt"]["system"]),
        ("user", report["prompt"]["user"]),
    ]
    assert report["output"] == ANSWER
    assert (report["input_tokens"], report["output_tokens"], report["calls"]) == (1_000, 100, 1)
    # gpt-4o-mini: $0.15 a million in, $0.60 out.
    assert report["cost_usd"] == pytest.approx(0.000_21)
    assert report["cost_usd"] <= report["prompt"]["most_usd"]
    assert len(bytes.fromhex(report["prompt"]["sha256"])) == 32
    assert (report["messages"], report["revision"], report["failure"]) == (6, 1, None)
    assert "sk-canary" not in ended.stdout.decode() + said(ended)


async def test_a_person_sees_prompt_answer_and_cost_and_nothing_is_stored(
    filled: Settings, provider: Provider
) -> None:
    async def rows() -> list[int]:
        names = ("operations.jobs", "verdicts", "outbox")
        return [await pool.fetchval(f"SELECT count(*) FROM {name}") for name in names]  # noqa: S608

    pool = await database.connect(filled, max_size=1)
    before = await rows()
    provider.acts(Answers(ANSWER))
    ended = await tried(filled, "topics@1", provider=provider)
    assert ended.returncode == 0, said(ended)
    shown = ended.stdout.decode()
    assert "You name the topics of conversations" in shown
    assert '"text":"this is great, number 0"' in shown
    assert '"topics": []' in shown
    assert "1 call" in said(ended)
    assert "nothing was stored" in said(ended)
    assert await rows() == before == [0, 0, 0]
    await pool.close()


async def test_with_prompt_only_nobody_is_called(filled: Settings, provider: Provider) -> None:
    ended = await tried(filled, "summary", "--prompt-only", provider=provider)
    assert ended.returncode == 0, said(ended)
    assert "You summarise conversations" in ended.stdout.decode()
    assert "was not called; a call costs $" in said(ended)
    assert provider.call_count == 0


async def test_without_a_provider_the_prompt_is_shown_and_what_to_set(filled: Settings) -> None:
    ended = await tried(filled, "summary")
    assert ended.returncode == 1
    assert "You summarise conversations" in ended.stdout.decode()
    assert "OPENAI_API_KEY" in said(ended)


async def test_an_answer_that_is_none_is_shown_and_what_it_cost(
    filled: Settings, provider: Provider
) -> None:
    provider.otherwise = Says("the topics are many")
    ended = await tried(filled, "topics", provider=provider)
    assert ended.returncode == 1
    assert "the topics are many" in ended.stdout.decode()
    assert "2 calls" in said(ended)
    assert "It failed: not_json" in said(ended)


async def test_a_refused_key_is_named(filled: Settings, provider: Provider) -> None:
    provider.otherwise = Refuses(401)
    ended = await tried(filled, "topics", provider=provider)
    assert ended.returncode == 1
    assert "It failed: bad_key" in said(ended)


async def test_code_is_run_over_the_sealed_messages(filled: Settings) -> None:
    ended = await tried(filled, "sentiment", "-o", "json")
    assert ended.returncode == 0, said(ended)
    report = orjson.loads(ended.stdout)
    assert (report["kind"], report["output"]["user_turn_count"]) == ("code", 3)
    assert report["prompt"] is None


async def test_code_has_no_prompt_to_show(filled: Settings) -> None:
    ended = await tried(filled, "sentiment", "--prompt-only")
    assert ended.returncode == 1
    assert "has no prompt" in said(ended)


async def test_messages_that_are_not_those_that_were_sealed_are_run_over_by_nothing(
    filled: Settings, provider: Provider
) -> None:
    pool = await database.connect(filled, max_size=1)
    await pool.execute("DELETE FROM conversation_messages WHERE id = $1", TALK[2].event_id)
    await pool.close()
    ended = await tried(filled, "topics", provider=provider)
    assert ended.returncode == 1
    assert "are not those that were sealed" in said(ended)
    assert provider.call_count == 0


async def test_a_segment_that_is_not_stored_yet_is_waited_for_by_the_person(
    filled: Settings,
) -> None:
    pool = await database.connect(filled, max_size=1)
    await pool.execute("DELETE FROM conversation_messages WHERE id = $1", TALK[5].event_id)
    await pool.execute("UPDATE fences SET next_offset = 7 WHERE consumer = 'persister'")
    await pool.close()
    ended = await tried(filled, "sentiment")
    assert ended.returncode == 1
    assert "not all stored yet: the persister is at offset 7" in said(ended)


async def test_an_earlier_revision_is_loaded_as_it_was(filled: Settings) -> None:
    pool = await database.connect(filled, max_size=1)
    await seal(pool, TALK[:4], revision=2)
    await pool.close()
    for options, count in (((), 4), (("--revision", "1"), 6)):
        ended = await tried(filled, "sentiment", "-o", "json", *options)
        assert orjson.loads(ended.stdout)["messages"] == count


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nothing"], "There is no pass nothing"),
        (["topics@9"], "There is no pass topics version 9"),
        (["topics@x"], "is not understood"),
        (["topics", "--tenant", "other"], "The tenant other has no segment"),
        (["topics", "--revision", "8"], "with a revision 8"),
    ],
)
async def test_what_is_not_there_is_named(
    filled: Settings, arguments: list[str], problem: str
) -> None:
    ended = await tried(filled, *arguments)
    assert ended.returncode == 1
    assert problem in said(ended)
    assert "Traceback" not in said(ended)
