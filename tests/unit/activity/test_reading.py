"""What the tables' rows say of the live view, and when they say nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

from parley.activity.figures import WINDOWS, ActivityState, Counts, Group
from parley.activity.reading import activity_of

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def measured(partition: int, **changes: Any) -> dict[str, Any]:
    return {
        "partition": partition,
        "measured_at": NOW,
        "age": timedelta(seconds=1),
        "behind_records": 0,
        "is_capped": False,
        "partition_count": 2,
        **changes,
    }


def figures(tenant_id: str, channel: str, window: timedelta, messages: int) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "channel": channel,
        "window_seconds": int(window.total_seconds()),
        "messages": messages,
        "conversations": 1,
        "user_words": 2,
        "assistant_words": 3,
        "audio_messages": 0,
    }


def test_without_a_worker_there_are_no_figures_and_no_time() -> None:
    found = activity_of([], [])
    assert found.state is ActivityState.NO_WORKER
    assert (found.groups, found.measured_at, found.age) == ({}, None, None)


def test_nobody_talking_is_something_else_than_nobody_measuring() -> None:
    found = activity_of([measured(0), measured(1)], [])
    assert found.state is ActivityState.COUNTED
    assert found.total() == dict.fromkeys(WINDOWS, Counts())


def test_the_age_is_that_of_the_oldest_partition() -> None:
    old = measured(1, measured_at=NOW - timedelta(seconds=9), age=timedelta(seconds=10))
    found = activity_of([measured(0), old], [])
    assert (found.measured_at, found.age) == (old["measured_at"], old["age"])


def test_what_makes_figures_too_low_is_said() -> None:
    found = activity_of([measured(0, behind_records=1_200, is_capped=True)], [])
    assert found.state is ActivityState.INCOMPLETE
    assert found.reasons == [
        "1 of 2 partitions are measured",
        "1,200 records are still to be read",
        "there are more channels or conversations than are counted",
    ]


def test_groups_are_apart_and_add_up() -> None:
    rows = [
        figures("acme", "chat", WINDOWS[0], 1),
        figures("acme", "chat", WINDOWS[2], 5),
        figures("rival", "chat", WINDOWS[0], 10),
    ]
    found = activity_of([measured(0), measured(1)], rows)
    assert found.groups[Group("acme", "chat")] == {
        WINDOWS[0]: Counts(1, 1, 2, 3),
        WINDOWS[1]: Counts(),
        WINDOWS[2]: Counts(5, 1, 2, 3),
    }
    assert found.groups[Group("rival", "chat")][WINDOWS[0]].messages == 10
    assert found.total()[WINDOWS[0]] == Counts(11, 2, 4, 6)
