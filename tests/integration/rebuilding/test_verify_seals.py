"""`parley verify --seals` finds segments that are not what the events give, wherever bent."""

from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from parley.codec import Outgoing, decode_seal, encode_seal, event_key
from parley.codec.seals import SEAL_HEADERS
from parley.log.admin import admin_client
from parley.rebuilding.verify import Scope, Verified, verify
from parley.seals import SealCause, SegmentSealed
from parley.settings import Settings
from parley.topics import Topic, partition_of
from tests.integration.rebuilding.talk import Talk, running, send, settled, talking
from tests.support.topics import read_records

# Services and replays are many processes for a small machine.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


class Silent:
    """Whom a replay may tell anything."""

    def begin(self, what: str, total: int | None) -> None:
        pass

    def advance(self, record_count: int) -> None:
        pass

    def say(self, sentence: str) -> None:
        pass


async def compared(settings: Settings) -> Verified:
    return await verify(settings, Silent(), 10, Scope.SEALS)


def named(verified: Verified) -> set[tuple[str, str, str]]:
    """What differs: the kind, the segment, and in what."""
    return {
        (one.kind, one.row.split(", ")[1].replace("segment_id=", "segment "), one.columns)
        for one in verified.differences
    }


async def test_a_bent_segment_is_found_in_the_table_and_in_the_topic(
    migrated: Settings, tables: Any
) -> None:
    talk = Talk(migrated)
    async with running(migrated, "sealer", "persister"):
        async with talking(talk):
            await send(migrated, talk.records(150))
            # Up to where the tables stand; the services go on meanwhile.
            whole = await compared(migrated)
        await settled(tables, talk)
    assert (whole.differences, whole.not_compared) == ((), ())
    sealed = await segments(migrated)
    digest, cause, in_table, *_ = [one for one in sealed if partition_of_seal(migrated, one) == 0]
    beyond = next(one for one in sealed if partition_of_seal(migrated, one) == 1)
    await tables.execute(
        "UPDATE segment_revisions SET member_digest = '\\x00' WHERE segment_id = $1"
        " AND revision = $2",
        in_table.segment_id,
        in_table.revision,
    )
    other = SealCause.CAP if cause.cause is not SealCause.CAP else SealCause.IDLE
    bent = [replace(one, member_digest=b"x" * 32) for one in (digest, beyond)]
    bent.append(replace(cause, cause=other))
    await send(migrated, [record(migrated, one) for one in bent])
    await lose_beginning(migrated, 1)
    found = await compared(migrated)
    otherwise = "seal that a replay gives otherwise"
    # Whether that beyond what the log still has was bent too, nobody can say, and that is said.
    assert named(found) == {
        ("edited row", f"segment {in_table.segment_id}", "member_digest"),
        (otherwise, f"segment {digest.segment_id}", "member_digest"),
        (otherwise, f"segment {cause.segment_id}", "cause"),
    }
    [sentence] = found.not_compared
    assert f"{migrated.topic(Topic.EVENTS)}/1 were not compared" in sentence
    assert found.seals_compared > 3


async def segments(settings: Settings) -> list[SegmentSealed]:
    seals = [decode_seal(one.value) for one in await read_records(settings, Topic.SEALS)]
    return [one for one in seals if isinstance(one, SegmentSealed)]


def record(settings: Settings, seal: SegmentSealed) -> Outgoing:
    key = event_key(seal.tenant_id, seal.conversation_id)
    return Outgoing(settings.topic(Topic.SEALS), key, encode_seal(seal), SEAL_HEADERS)


def partition_of_seal(settings: Settings, seal: SegmentSealed) -> int:
    return partition_of(event_key(seal.tenant_id, seal.conversation_id), settings.partitions)


async def lose_beginning(settings: Settings, partition: int) -> None:
    tp = TopicPartition(settings.topic(Topic.EVENTS), partition)
    async with admin_client(settings) as admin:
        await admin.delete_records({tp: RecordsToDelete(before_offset=1)})
