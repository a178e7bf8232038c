"""Folds the requests of a batch into the states of their conversations."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from parley.conversation_state import NEW, ConversationStatus, fold
from parley.events import StateRequested
from services.persister.core.rows import Place, Received, ReceivedEvent

# A tenant and one of its conversations.
Key = tuple[str, str]


class StateRow(NamedTuple):
    """Where a conversation stands after the batch, and its last request's place."""

    tenant_id: str
    conversation_id: str
    state: str
    judged: Sequence[str]
    incarnation: str
    log_offset: int


class GrantRow(NamedTuple):
    """Whether the request at this place was granted."""

    tenant_id: str
    event_id: str
    incarnation: str
    partition: int
    log_offset: int
    is_granted: bool


def requests_of(items: Iterable[Received]) -> list[ReceivedEvent]:
    """The requests for another state, copies included; imports change none."""
    return [
        item
        for item in items
        if isinstance(item, ReceivedEvent)
        and isinstance(item.event.body, StateRequested)
        and item.event.import_id is None
    ]


def key_of(item: ReceivedEvent) -> Key:
    """The conversation whose state the request is about."""
    return item.event.tenant_id, item.event.conversation_id


def fold_states(
    requests: Sequence[ReceivedEvent], known: Mapping[Key, ConversationStatus]
) -> tuple[list[StateRow], list[GrantRow]]:
    """What becomes of requests in the order of the log, from the states that are stored."""
    statuses: dict[Key, ConversationStatus] = {}
    places: dict[Key, Place] = {}
    grants = []
    for item in requests:
        key, event = key_of(item), item.event
        assert isinstance(event.body, StateRequested)  # noqa: S101 - as requests_of chose them
        status = statuses.get(key) or known.get(key, NEW)
        statuses[key], is_granted = fold(status, event.event_id, event.body)
        places[key] = place = item.place
        at = (place.incarnation, place.partition, place.offset)
        grants.append(GrantRow(event.tenant_id, event.event_id, *at, is_granted))
    rows = [
        StateRow(*key, status.state, status.judged, places[key].incarnation, places[key].offset)
        for key, status in sorted(statuses.items())
    ]
    return rows, grants
