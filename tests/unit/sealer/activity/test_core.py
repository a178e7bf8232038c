"""What the live view counts: windows by append time, distinct conversations, tenants apart."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.activity.figures import WINDOWS, Counts, Group, GroupFigures
from parley.events import Content, Event, MessageRecorded, Role, SessionStarted
from services.sealer.activity.core import PANES, Limits, PartitionCounter

# A moment at which a pane of every window begins.
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE, FIVE, QUARTER = WINDOWS
ROOMY = Limits(groups=100, channels=100, conversations=1_000)
NUMBERS = count()


def message(
    conversation_id: str = "c1",
    text: str = "hello there",
    *,
    role: Role = Role.USER,
    audio_url: str | None = None,
    **fields: Any,
) -> Event:
    return Event(
        event_id=f"{next(NUMBERS)}",
        body=MessageRecorded(role, Content(text, audio_url)),
        # Of another day: what counts is when the log took it.
        event_time=NOON - timedelta(days=1),
        received_at=NOON,
        conversation_id=conversation_id,
        **{"tenant_id": "acme", "channel": "phone", **fields},
    )


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def counter(*said: tuple[Event, float], limits: Limits = ROOMY) -> PartitionCounter:
    """One that has seen these events, each so many seconds after noon."""
    made = PartitionCounter(limits)
    for event, seconds in said:
        made.observe(event, after(seconds))
    return made


def only(counted: PartitionCounter, seconds: float = 0) -> GroupFigures:
    figures = counted.figures(after(seconds))
    assert len(figures) == 1
    return next(iter(figures.values()))


def test_a_message_is_in_every_window_with_its_words() -> None:
    counted = counter((message(text="where is  my\nparcel"), 0))
    expected = Counts(messages=1, conversations=1, user_words=4)
    assert only(counted) == dict.fromkeys(WINDOWS, expected)


def test_words_are_told_apart_by_who_said_them() -> None:
    spoken = counter(
        (message(text="one"), 0),
        (message(text="one two", role=Role.ASSISTANT), 0),
        (message(text="one two three", role=Role.SYSTEM), 0),
        (message(text="one two three four", role=Role.TOOL), 0),
    )
    assert only(spoken)[MINUTE] == Counts(4, 1, user_words=1, assistant_words=2)


def test_a_message_with_audio_is_counted_as_one() -> None:
    counted = counter((message(audio_url="https://a.example/1.ogg"), 0), (message(), 0))
    assert only(counted)[MINUTE].audio_messages == 1


def test_a_conversation_that_says_much_is_one_active_conversation() -> None:
    counted = counter(*((message("c1"), second) for second in range(10)), (message("c2"), 3))
    assert {one.conversations for one in only(counted, 10).values()} == {2}
    assert only(counted, 10)[MINUTE].messages == 11


@pytest.mark.parametrize("window", WINDOWS)
def test_a_message_leaves_a_window_when_sixty_panes_have_begun_since(window: timedelta) -> None:
    counted = counter((message("c1"), 0), (message("c2"), 0))
    last = window.total_seconds() - 0.001
    # What keeps the group when the two have left.
    counted.observe(message("c3"), after(last))
    assert only(counted, last)[window] == Counts(3, 3, 6)
    assert only(counted, window.total_seconds())[window] == Counts(1, 1, 2)


def test_a_conversation_stays_active_by_its_latest_message() -> None:
    counted = counter((message("c1"), 0), (message("c1"), 50))
    assert only(counted, 70)[MINUTE] == Counts(1, 1, 2)
    assert only(counted, 70)[FIVE] == Counts(2, 1, 4)


def test_nothing_is_kept_of_those_who_were_quiet_for_the_longest_window() -> None:
    counted = counter((message(), 0))
    assert counted.figures(after(QUARTER.total_seconds())) == {}
    assert counted.figures(NOON) == {}


def test_tenants_and_channels_do_not_mix() -> None:
    counted = counter(
        (message(tenant_id="acme", channel="phone"), 0),
        (message(tenant_id="acme", channel="chat"), 0),
        (message(tenant_id="rival", channel="phone"), 0),
        (message(tenant_id="rival", channel="phone"), 0),
    )
    found = {group: one[MINUTE].messages for group, one in counted.figures(NOON).items()}
    assert found == {
        Group("acme", "phone"): 1,
        Group("acme", "chat"): 1,
        Group("rival", "phone"): 2,
    }
    # The same id in two tenants is two conversations.
    assert counted.figures(NOON)[Group("rival", "phone")][MINUTE].conversations == 1


def test_what_is_imported_or_no_message_is_not_counted() -> None:
    counted = PartitionCounter(ROOMY)
    assert not counted.observe(message(import_id="i1"), NOON)
    session = Event("e1", SessionStarted(), NOON, NOON, "acme", "c1", channel="phone")
    assert not counted.observe(session, NOON)
    assert counted.figures(NOON) == {}


def test_a_window_of_a_machine_with_a_slow_clock_ends_at_the_newest_record() -> None:
    counted = counter((message("c1"), 0), (message("c2"), 100))
    assert only(counted, -300)[MINUTE] == Counts(1, 1, 2)


def test_past_the_limit_of_groups_nothing_is_counted_and_it_says_so() -> None:
    counted = counter(
        (message(tenant_id="t1"), 0),
        (message(tenant_id="t2"), 1),
        limits=Limits(groups=1, channels=9, conversations=9),
    )
    assert list(counted.figures(after(1))) == [Group("t1", "phone")]
    assert counted.is_capped(after(1))
    assert counted.is_capped(after(1 + QUARTER.total_seconds()))
    assert not counted.is_capped(after(2 + QUARTER.total_seconds()))


def test_a_tenant_with_many_channels_takes_no_room_from_others() -> None:
    limits = Limits(groups=9, channels=2, conversations=9)
    counted = counter(*((message(channel=f"h{n}"), 0) for n in range(5)), limits=limits)
    assert counted.observe(message(tenant_id="rival"), NOON)
    assert len(counted.figures(NOON)) == 3


def test_room_that_a_quiet_group_leaves_is_given_to_another() -> None:
    counted = counter((message(channel="a"), 0), limits=Limits(1, 1, 1))
    later = after(QUARTER.total_seconds())
    counted.figures(later)
    assert counted.observe(message("c2", channel="b"), later)
    assert counted.figures(later)[Group("acme", "b")][MINUTE] == Counts(1, 1, 2)


def test_past_the_limit_of_conversations_messages_are_counted_still() -> None:
    counted = counter((message("c1"), 0), (message("c2"), 0), limits=Limits(9, 9, 1))
    assert only(counted)[MINUTE] == Counts(2, 1, 4)
    assert counted.is_capped(NOON)


def test_a_conversation_takes_room_once_however_much_it_says() -> None:
    said = [(message("c1"), n) for n in range(5)]
    counted = counter(*said, (message("c2"), 5), limits=Limits(9, 9, 2))
    assert only(counted, 5)[MINUTE].conversations == 2
    assert not counted.is_capped(after(5))


Said = tuple[str, str, float]
LOG = st.lists(
    st.tuples(
        st.sampled_from(("acme", "rival")),
        st.sampled_from(("c1", "c2", "c3")),
        st.integers(0, 2_000_000).map(lambda millis: millis / 1000),
    ),
    max_size=40,
).map(lambda said: sorted(said, key=lambda one: one[2]))


def counted_at_once(log: Sequence[Said], now_s: float) -> dict[tuple[str, timedelta], Counts]:
    """What is in each window by its definition, from the whole log."""
    found = {}
    for window in WINDOWS:
        pane_s = window.total_seconds() / PANES
        start_s = (now_s // pane_s - PANES + 1) * pane_s
        for tenant in ("acme", "rival"):
            inside = [cid for who, cid, at in log if who == tenant and at >= start_s]
            if inside:
                counts = Counts(len(inside), len(set(inside)), 2 * len(inside))
                found[tenant, window] = counts
    return found


@given(log=LOG, measured=st.sets(st.integers(0, 39)), wait_s=st.integers(0, 1_000))
def test_any_log_gives_what_its_windows_hold_however_often_it_is_measured(
    log: list[Said], measured: set[int], wait_s: int
) -> None:
    counted = PartitionCounter(ROOMY)
    for number, (tenant, conversation_id, second) in enumerate(log):
        counted.observe(message(conversation_id, tenant_id=tenant), after(second))
        if number in measured:
            counted.figures(after(second))
    now_s = (log[-1][2] if log else 0) + wait_s
    found = {
        (group.tenant_id, window): counts
        for group, figures in counted.figures(after(now_s)).items()
        for window, counts in figures.items()
        if counts.messages
    }
    assert found == counted_at_once(log, now_s)
