"""What a batch of events becomes, whatever its order."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from parley.codec import InvalidRecord
from parley.codec.events import EVENT_HEADERS
from parley.codec.usual import IS_COMPILED
from parley.events import (
    Content,
    ConversationCreated,
    ConversationUpdated,
    Event,
    MessageRecorded,
    Role,
    SealForced,
)
from services.persister.core.conversations import merge_conversations
from services.persister.core.events import EventRows, SessionKey, event_row, fold
from services.persister.core.rows import (
    ConversationRow,
    EventRow,
    Received,
    ReceivedMessage,
    SessionRow,
)
from services.persister.core.sessions import merge_sessions
from services.persister.stream.reading import read_events
from tests.unit.persister.samples import (
    INCARNATION,
    at,
    event,
    message,
    random_events,
    received,
    record,
    revision,
)


def conversation(*events: Event) -> ConversationRow:
    """The one conversation of these events."""
    (row,) = fold(received(events)).conversations.values()
    return row


Key = tuple[str, str]
Merged = tuple[dict[Key, ConversationRow], dict[SessionKey, SessionRow]]


def merged(parts: list[EventRows]) -> Merged:
    """The rows of several batches, merged as the tables merge them."""
    conversations: dict[Key, ConversationRow] = {}
    sessions: dict[SessionKey, SessionRow] = {}
    for part in parts:
        for key, row in part.conversations.items():
            conversations[key] = merge_conversations(conversations.get(key, row), row)
        for name, session in part.sessions.items():
            sessions[name] = merge_sessions(sessions.get(name, session), session)
    return conversations, sessions


@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_any_order_and_any_batches_give_the_same_conversations_and_sessions(
    chance: Random, count: int
) -> None:
    events = random_events(chance, count)
    expected = merged([fold(received(events))])
    shuffled = events + chance.sample(events, count // 2)
    chance.shuffle(shuffled)
    size = chance.randint(1, count)
    batches = [shuffled[first : first + size] for first in range(0, len(shuffled), size)]
    assert merged([fold(received(batch)) for batch in batches]) == expected


def usual(events: list[Event]) -> list[Received]:
    """The events as records that are read together."""
    records = [
        record(one, offset)._replace(headers=EVENT_HEADERS) for offset, one in enumerate(events)
    ]
    read = read_events(records, INCARNATION)
    return [one for one in read if one is not None and not isinstance(one, InvalidRecord)]


@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_messages_that_are_read_together_say_of_others_what_each_of_them_says(
    chance: Random, count: int
) -> None:
    events = random_events(chance, count)
    assert merged([fold(usual(events))]) == merged([fold(received([one])) for one in events])


def test_of_messages_of_one_moment_the_greatest_id_says_whose_the_conversation_is() -> None:
    talk = [
        message(number, minutes, user_id=user_id, session_id="s")
        for number, (minutes, user_id) in enumerate(
            [(3, "a"), (3, "b"), (3, "a"), (3, "b"), (9, "a")]
        )
    ]
    read = usual(talk)
    assert all(isinstance(one, ReceivedMessage) for one in read) is IS_COMPILED
    expected = merged([fold(received([one])) for one in talk])
    assert merged([fold(read)]) == expected
    (row,) = expected[0].values()
    first = max(talk[:4], key=lambda one: one.event_id)
    assert (row.user_id, row.last_event_at) == (first.user_id, at(9))


def test_a_conversation_spans_its_first_to_its_last_event() -> None:
    row = conversation(message(1, 5), message(2, 3), message(3, 9))
    assert (row.first_event_at, row.last_event_at) == (at(3), at(9))


def test_a_conversation_belongs_to_the_user_of_its_earliest_event_that_names_one() -> None:
    row = conversation(message(1, 5, user_id="bob"), message(2, 3, user_id="ada"), message(3, 1))
    assert row.user_id == "ada"


def test_the_latest_title_wins_whenever_it_arrives() -> None:
    row = conversation(
        event(1, ConversationUpdated(title="new"), 9),
        event(2, ConversationCreated(title="old"), 1),
    )
    assert row.title == "new"


def test_an_update_leaves_alone_what_it_does_not_name() -> None:
    row = conversation(
        event(1, ConversationCreated("title", "warm", '{"a": 1}'), 1),
        event(2, ConversationUpdated(personality="cool"), 2),
    )
    assert (row.title, row.personality, row.metadata_text) == ("title", "cool", '{"a": 1}')


def test_an_update_to_nothing_takes_the_title_away() -> None:
    row = conversation(
        event(1, ConversationCreated("title"), 1), event(2, ConversationUpdated(title=""), 2)
    )
    assert row.title is None


def test_a_stated_channel_outranks_the_one_that_events_came_by() -> None:
    row = conversation(
        message(1, 1, channel="web"),
        event(2, ConversationUpdated(channel="phone"), 2),
        message(3, 3, channel="kiosk"),
    )
    assert row.channel == "phone"


def test_a_message_becomes_a_row_with_what_the_event_says() -> None:
    body = MessageRecorded(Role.TOOL, Content("hi", "https://a/b", '{"a":1}'), "u1", "en")
    (row,) = fold(received([event(1, body, 2, user_id="ada", sender="bot")], 7)).messages
    assert (row.role, row.content, row.audio_url) == ("tool", "hi", "https://a/b")
    assert (row.metadata_text, row.utterance_id, row.language) == ('{"a":1}', "u1", "en")
    assert (row.user_id, row.sender, row.session_id) == ("ada", "bot", "s")
    assert (row.event_time, row.occurred_at, row.log_offset) == (at(2), None, 7)


def test_a_message_without_a_session_names_none() -> None:
    rows = fold(received([message(1, session_id="")]))
    assert rows.messages[0].session_id is None
    assert not rows.sessions


def test_a_revision_becomes_a_version_and_no_message() -> None:
    first = message(1)
    rows = fold(received([revision(2, first, "better", 4)]))
    assert not rows.messages
    (version,) = rows.versions
    assert (version.message_id, version.content) == (first.event_id, "better")
    assert (version.kind, version.event_time) == ("corrected", at(4))


def test_an_event_is_kept_whole_under_its_wire_name() -> None:
    (one,) = received([event(1, SealForced("r", "op"))], 3)
    row = EventRow(*event_row(one))
    assert (row.kind, row.value) == ("seal_forced", one.value)
    assert (row.log_offset, row.event_id) == (3, one.event.event_id)
