"""The rule without caps, commands and explicit ends, slow and plain: sort, then chain."""

from collections.abc import Iterable
from datetime import datetime

from parley.events import Event, MessageRecorded


def partition_of(events: Iterable[Event]) -> set[frozenset[str]]:
    """The members of every segment, by event id, once everything has arrived."""
    conversations: dict[tuple[str, str], dict[str, Event]] = {}
    for event in events:
        if isinstance(event.body, MessageRecorded):
            key = (event.tenant_id, event.conversation_id)
            conversations.setdefault(key, {}).setdefault(event.event_id, event)
    return {
        frozenset(one.event_id for one in segment)
        for messages in conversations.values()
        for segment in chain(messages.values())
    }


def chain(messages: Iterable[Event]) -> list[list[Event]]:
    """Messages in order, parted wherever one is later than all before it reach."""
    segments: list[list[Event]] = []
    for event in sorted(messages, key=lambda one: (one.event_time, one.event_id)):
        reach = max((_reach(one) for one in segments[-1]), default=None) if segments else None
        if reach is None or event.event_time > reach:
            segments.append([])
        segments[-1].append(event)
    return segments


def _reach(event: Event) -> datetime:
    return event.event_time + event.policy.idle_gap
