"""`parley seal`: closes a conversation's open segments now, by a command in the log."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import typer

from parley import clock, ids
from parley.cli.config_topic import who
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, say, stdout
from parley.cli.running import run
from parley.cli.sealing.following import Command, SealWait
from parley.cli.sealing.listing import DEFAULT_TENANT, SQL, nothing_open, open_windows
from parley.cli.wording import counted
from parley.codec import Outgoing, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.db.pool import Pool
from parley.errors import UserError
from parley.events import Event, SealForced
from parley.log.producer import Producer
from parley.seals import SegmentSealed
from parley.settings import Settings
from parley.topics import Topic


@dataclass(frozen=True, slots=True)
class Asked:
    """Which conversation is to be sealed, why, and how long to wait."""

    tenant_id: str
    conversation_id: str
    reason: str
    timeout: timedelta
    waits: bool


def seal(
    conversation: Annotated[str, typer.Argument(help="Its id.")],
    *,
    tenant: Annotated[str, typer.Option(help="Whose conversation it is.")] = DEFAULT_TENANT,
    reason: Annotated[str, typer.Option(help="Why; kept in the log.")] = "",
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until the segment is stored.")
    ] = True,
    timeout: Annotated[
        float, typer.Option(min=1, max=3_600, help="Seconds to wait for each step.")
    ] = 30.0,
    output: OutputOption = Output.TABLE,
) -> None:
    """Seal what is open in a conversation now, whatever its deadline, and show the segment.

    A cut is placed after its last message: what is said later begins a new segment. Segments
    that an import holds are left alone. Where nothing is open, nothing is done.

    Exit status 1 where nothing could be sealed, or was not within the time.

    Try:

        parley seal chat-7 --reason "wanted for the report"
    """
    asked = Asked(tenant, conversation, reason, timedelta(seconds=timeout), wait)
    sealed = run(seal_now(Settings.load(), asked))
    if output is not Output.TABLE:
        print_data(output, [_facts(one) for one in sealed])
        return
    for one in sealed:
        stdout.print(sentence_of(one))


async def seal_now(settings: Settings, asked: Asked) -> list[SegmentSealed]:
    """The segments that a command sealed; none without waiting, or where nothing is open."""
    async with connection_pool(settings) as pool:
        wait = SealWait(settings, pool, asked.timeout)
        key = event_key(asked.tenant_id, asked.conversation_id)
        if asked.waits:
            # What is not read yet may open a segment, or close one.
            await wait.until_read(await wait.end_of(key))
        if not await _is_anything_to_seal(pool, asked):
            return []
        head = await pool.fetchval(SQL["outbox_head"])
        command = await _command(settings, asked, key)
        if not asked.waits:
            say(f"The command lies in the log at {command}; the sealer closes it once it reads it.")
            return []
        sealed = await wait.until_sealed(command, key, head)
        if not sealed:
            say(f"Nothing was open any more in {asked.conversation_id} when the command was read.")
        return sealed


async def _is_anything_to_seal(pool: Pool, asked: Asked) -> bool:
    """Raises UserError where imports hold all that is open."""
    windows = await open_windows(pool, asked.tenant_id, asked.conversation_id)
    if not windows:
        say(await nothing_open(pool, asked.tenant_id, asked.conversation_id))
        return False
    held = [one for one in windows if one["held_by"]]
    imports = ", ".join(sorted({name for one in held for name in one["held_by"]}))
    if len(held) == len(windows):
        raise UserError(
            f"An import holds what is open in {asked.conversation_id}: {imports}.",
            "It is sealed once the import has passed it, at the latest an hour after the import's "
            "last record.",
        )
    if held:
        say(f"{counted(len(held), 'segment')} stay open: import {imports} holds them.")
    return True


async def _command(settings: Settings, asked: Asked, key: bytes) -> Command:
    """Write the command into the log."""
    now, me = clock.now(), who()
    event = Event(
        event_id=ids.random_id(),
        body=SealForced(ids.random_id(), me, asked.reason),
        event_time=now,
        received_at=now,
        tenant_id=asked.tenant_id,
        conversation_id=asked.conversation_id,
        sender=me,
    )
    topic = settings.topic(Topic.EVENTS)
    producer = Producer(settings)
    await producer.start()
    try:
        sent = await producer.send(Outgoing(topic, key, encode_event(event), EVENT_HEADERS))
    finally:
        await producer.stop()
    return Command(sent.partition, sent.offset)


def _facts(sealed: SegmentSealed) -> dict[str, Any]:
    """The segment, for programs."""
    return {
        "tenant_id": sealed.tenant_id,
        "conversation_id": sealed.conversation_id,
        "segment_id": sealed.segment_id,
        "revision": sealed.revision,
        "cause": sealed.cause.value,
        "started_at": sealed.started_at,
        "ended_at": sealed.ended_at,
        "message_count": sealed.message_count,
        "member_digest": sealed.member_digest.hex(),
        "participants": list(sealed.participants),
        "retracted": [one.segment_id for one in sealed.retracted],
    }


def sentence_of(sealed: SegmentSealed) -> str:
    """The segment, for people."""
    messages = counted(sealed.message_count, "message")
    return (
        f"segment {sealed.segment_id} revision {sealed.revision}\n"
        f"{messages} from {sealed.started_at:%Y-%m-%d %H:%M:%S} to "
        f"{sealed.ended_at:%Y-%m-%d %H:%M:%S} UTC, closed because of: {sealed.cause.value}"
    )
