"""Writes one event into the log, or shows what would be written."""

from dataclasses import dataclass
from typing import Any

from parley import clock
from parley.cli.config_topic import policy_now, who
from parley.cli.emit.making import Now, completed, record_of
from parley.cli.output import Output, print_data, say, stdout
from parley.cli.records import as_json, as_line
from parley.cli.running import run
from parley.codec import LogRecord, Outgoing
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from parley.wire import events_pb2


@dataclass(frozen=True, slots=True)
class Wish:
    """Whether it is only to be shown, and how."""

    is_dry_run: bool
    with_content: bool
    output: Output


def emit(wire: events_pb2.Event, wish: Wish) -> None:
    """Publish the event and print where it lies; raises UserError."""
    run(_emit(Settings.load(), wire, wish))


async def _emit(settings: Settings, wire: events_pb2.Event, wish: Wish) -> None:
    now = Now(clock.now(), who(), settings.topic(Topic.EVENTS))
    # What is wrong with it needs no Kafka to be told.
    record_of(completed(_copy(wire), now, settings.gap_policies()[""]), now)
    policy = await policy_now(settings, wire.tenant_id, wire.channel)
    outgoing, event = record_of(completed(wire, now, policy), now)
    if wish.is_dry_run:
        record = LogRecord(now.topic, -1, -1, now.at, outgoing.key, outgoing.value)
        _show(record, wish)
        say("Nothing was written: this is a dry run.")
        return
    sent = await _send(settings, outgoing)
    facts = {"event_id": event.event_id, "partition": sent.partition, "offset": sent.offset}
    if wish.output is Output.TABLE:
        stdout.print("event {event_id} lies at {partition}/{offset}".format(**facts), markup=False)
    else:
        print_data(wish.output, facts)


def _copy(wire: events_pb2.Event) -> events_pb2.Event:
    copy = events_pb2.Event()
    copy.CopyFrom(wire)
    return copy


def _show(record: LogRecord, wish: Wish) -> None:
    if wish.output is Output.TABLE:
        stdout.print(as_line(Topic.EVENTS, record, with_content=wish.with_content), markup=False)
    else:
        shown = as_json(Topic.EVENTS, record, with_content=wish.with_content)
        print_data(wish.output, shown["event"])


async def _send(settings: Settings, outgoing: Outgoing) -> Any:
    producer = Producer(settings)
    await producer.start()
    try:
        return await producer.send(outgoing)
    finally:
        await producer.stop()
