"""Tests of putting both tables' rows right and in order."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from parley.events import MessageRecorded, Policy, SessionEnded
from parley.importing.earlier.old_rows import Repair
from parley.importing.earlier.prepare import EarlierPreparation, Findings
from parley.importing.past import Envelope, PastEvent
from parley.importing.prepared import Prepared

ENVELOPE = Envelope("default", "import", Policy())
NOON_US = 1_714_564_800_000_000
MINUTE_US = 60_000_000


def session(key: str, minute: int = 0, **more: Any) -> dict[str, Any]:
    start = NOON_US + minute * MINUTE_US
    return {"key": key, "start": start, "end": start + 10 * MINUTE_US, "user": "ann", **more}


def message(key: str | None, of: str | None, minute: int, **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "session": of,
        "role": "user",
        "content": f"message {key}",
        "time": NOON_US + minute * MINUTE_US,
        **more,
    }


class Tables:
    """Prepares imports of rows, and closes them in the end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.findings = Findings()

    def prepared(
        self, sessions: Iterable[dict[str, Any]], messages: Iterable[dict[str, Any]], runs: int = 3
    ) -> Prepared:
        preparation = EarlierPreparation(ENVELOPE, run_records=runs)
        with closing(preparation):
            for row in sessions:
                preparation.take_session(row)
            for row in messages:
                preparation.take_message(row)
            self.findings = preparation.findings
            return self._stack.enter_context(closing(preparation.finish(lambda _: None)))


@pytest.fixture
def tables() -> Iterator[Tables]:
    with ExitStack() as stack:
        yield Tables(stack)


def kinds(events: Iterable[PastEvent]) -> list[str]:
    return [type(one.body).__name__ for one in events]


def test_a_session_stands_around_its_messages(tables: Tables) -> None:
    found = tables.prepared([session("s")], [message("2", "s", 10), message("1", "s", 0)])
    assert kinds(found.events()) == [
        *("SessionStarted", "MessageRecorded", "MessageRecorded", "SessionEnded")
    ]
    assert (found.event_count, found.message_count, found.session_count) == (4, 2, 1)
    assert {one.conversation_id for one in found.events()} == {"s"}


def test_sessions_of_one_conversation_come_by_their_times(tables: Tables) -> None:
    sessions = [session("b", 0, conversation="c"), session("a", 20, conversation="c")]
    found = list(tables.prepared(sessions, [message("1", "a", 21), message("2", "b", 1)]).events())
    assert [one.session_id for one in found] == ["b", "b", "b", "a", "a", "a"]
    assert all(one.occurred_at <= other.occurred_at for one, other in pairwise(found))


def test_the_order_of_rows_changes_nothing(tables: Tables) -> None:
    sessions = [session(f"s{n}", n, conversation=f"c{n % 3}") for n in range(20)]
    sessions += [session("s1", 50), session("s2", 2, conversation="c2")]
    messages = [message(f"{n % 90}", f"s{n % 30}", n % 7) for n in range(100)]
    messages += [message(None, "s1", 3) for _ in range(5)]
    one = tables.prepared(sessions, messages)
    first = tables.findings
    for seed in range(5):
        chance = Random(seed)
        chance.shuffle(sessions)
        chance.shuffle(messages)
        other = tables.prepared(sessions, messages, runs=1_000)
        assert other.digest == one.digest
        assert list(other.events()) == list(one.events())
        assert tables.findings.repairs == first.repairs
        assert tables.findings.rejected == first.rejected


def test_equal_messages_without_a_key_are_different_ones(tables: Tables) -> None:
    found = list(tables.prepared([], [message(None, "s", 1) for _ in range(4)]).events())
    ids = {one.event_id for one in found if isinstance(one.body, MessageRecorded)}
    assert len(ids) == 4


def test_a_row_that_is_there_twice_comes_in_once(tables: Tables) -> None:
    found = tables.prepared([session("s")] * 2, [message("1", "s", 1)] * 3)
    assert (found.message_count, found.session_count) == (1, 1)
    assert tables.findings.repeated_count == 3


def test_of_rows_with_one_key_and_other_contents_one_comes_in(tables: Tables) -> None:
    messages = [message("1", "s", 1), message("2", "s", 2), message("1", "s", 3)]
    found = tables.prepared([session("s"), session("s", 1)], messages)
    assert (found.message_count, found.session_count) == (2, 1)
    assert tables.findings.repeated_count == 0
    assert tables.findings.rejected.total() == 2


def test_what_the_consumers_would_refuse_is_rejected(tables: Tables) -> None:
    messages = [
        message("1", "s", 1, content="a\0b"),
        message("2", "s", 2, content="x" * 1_100_000),
        message("x" * 600, "s", 3),
        message("4", "y" * 600, 4),
    ]
    found = tables.prepared([session("s")], messages)
    assert kinds(found.events()) == ["SessionStarted", "SessionEnded"]
    assert tables.findings.rejected == {
        "conversation_messages: a text holds a NUL character": 1,
        "conversation_messages: longer than 995,904 bytes": 1,
        "conversation_messages: an id is longer than 512 bytes": 2,
        "conversation_sessions: an id is longer than 512 bytes": 1,
    }
    assert tables.findings.bad_rows[0].startswith("conversation_messages 1: ")


def test_a_later_statement_of_a_session_is_another_event_and_the_same_one_is_not(
    tables: Tables,
) -> None:
    def ids(**more: Any) -> set[str]:
        return {one.event_id for one in tables.prepared([session("s", **more)], []).events()}

    assert ids() == ids()
    assert len(ids() & ids(end=NOON_US + MINUTE_US)) == 1
    assert not ids() & ids(user="bob")


def test_a_message_without_a_session_is_only_in_its_conversation(tables: Tables) -> None:
    [found] = tables.prepared([], [message("1", None, 1, conversation="c")]).events()
    assert (found.conversation_id, found.session_id) == ("c", "")
    assert tables.findings.repairs == {Repair.MESSAGE_WITHOUT_SESSION: 1}


def test_an_open_session_has_no_end_and_is_counted(tables: Tables) -> None:
    found = tables.prepared([session("s", end=None, is_active=True)], [])
    assert not [one for one in found.events() if isinstance(one.body, SessionEnded)]
    assert tables.findings.open_sessions == 1
