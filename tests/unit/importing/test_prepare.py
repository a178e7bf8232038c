"""Tests of checking a whole file and putting it in order."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from parley.errors import UserError
from parley.events import Content, MessageRecorded, Policy, Role
from parley.importing.jsonl import jsonl_rows
from parley.importing.past import Envelope, PastEvent
from parley.importing.prepare import SHOWN_BAD_LINES, Findings, Preparation
from parley.importing.prepared import Prepared
from parley.importing.source import open_source

ENVELOPE = Envelope("default", "import", Policy())


def row(conversation: str, minute: int, text: str = "hi", **more: Any) -> dict[str, Any]:
    return {
        "conversation_id": conversation,
        "role": "user",
        "content": text,
        "occurred_at": f"2024-05-01T12:{minute:02}:00Z",
        **more,
    }


def text_of(past: PastEvent) -> str:
    assert isinstance(past.body, MessageRecorded)
    return past.body.content.text


class Files:
    """Writes files, prepares imports of them, and closes everything in the end."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def read(self, lines: Iterable[Any], run_records: int = 3) -> Preparation:
        file = self._folder / "rows.jsonl"
        encoded = (one if isinstance(one, bytes) else orjson.dumps(one) for one in lines)
        file.write_bytes(b"".join(one + b"\n" for one in encoded))
        preparation = self._stack.enter_context(closing(Preparation(ENVELOPE, run_records)))
        with open_source(str(file)) as source:
            preparation.read(source, jsonl_rows, lambda _: None)
        return preparation

    def prepared(self, lines: Iterable[Any], run_records: int = 3) -> Prepared:
        found = self.read(lines, run_records).finish(lambda _: None)
        return self._stack.enter_context(closing(found))

    def findings(self, lines: Iterable[Any]) -> Findings:
        preparation = self.read(lines)
        self._stack.enter_context(closing(preparation.finish(lambda _: None)))
        return preparation.findings


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    with ExitStack() as stack:
        yield Files(tmp_path, stack)


def test_messages_come_by_conversation_time_and_event_id(files: Files) -> None:
    lines = [row(f"c{n % 3}", (7 * n) % 60, f"text {n}") for n in range(40)]
    messages = list(files.prepared(lines).events())
    keys = [(m.conversation_id, m.occurred_at, m.event_id) for m in messages]
    assert keys == sorted(keys)
    assert len(keys) == 40


def test_the_order_of_lines_changes_nothing(files: Files) -> None:
    lines = [row(f"c{n % 3}", n % 5, f"text {n % 7}") for n in range(60)]
    one = files.prepared(lines)
    other = files.prepared(list(reversed(lines)), run_records=1_000)
    assert one.digest == other.digest
    assert [m.event_id for m in one.events()] == [m.event_id for m in other.events()]


def test_equal_lines_without_an_id_are_different_messages(files: Files) -> None:
    messages = list(files.prepared([row("c", 1)] * 5).events())
    assert len({m.event_id for m in messages}) == 5
    assert [m.event_id for m in messages] == sorted(m.event_id for m in messages)


def test_more_equal_lines_keep_the_ids_of_those_before(files: Files) -> None:
    few = {m.event_id for m in files.prepared([row("c", 1)] * 3).events()}
    more = {m.event_id for m in files.prepared([row("c", 1)] * 4).events()}
    assert few < more


def test_the_same_named_line_twice_is_one_message(files: Files) -> None:
    found = files.findings([row("c", 1, message_id="m1"), row("c", 1, message_id="m1")])
    assert found.row_count == 2
    assert found.repeated_count == 1


def test_one_message_id_in_two_conversations_names_two_messages(files: Files) -> None:
    lines = [row("c", 1, message_id="m"), row("d", 1, message_id="m")]
    assert files.prepared(lines).message_count == 2
    assert files.findings(lines).bad_count == 0


def test_one_message_id_for_two_contents_is_a_bad_line(files: Files) -> None:
    lines = [
        row("c", 1, "one", message_id="m"),
        row("c", 2, "two", message_id="m"),
        row("c", 1, "three", message_id="m"),
    ]
    found = files.findings(lines)
    assert [number for number, _ in found.bad_lines] == [2, 3]
    assert "that of line 1" in found.bad_lines[0][1]
    assert [text_of(m) for m in files.prepared(lines).events()] == ["one"]


def test_what_the_consumers_would_refuse_is_a_bad_line(files: Files) -> None:
    lines = [
        row("c", 1),
        row("c\0", 1),
        row("c", 1, "a\0b"),
        row("x" * 600, 1),
        row("c", 1, metadata={"a": "\0"}),
        {**row("c", 1), "occurred_at": "1776-07-04T00:00:00Z"},
        row("c", 1, "x" * 1_000_000),
    ]
    found = files.findings(lines)
    assert [number for number, _ in found.bad_lines] == [2, 3, 4, 5, 6, 7]
    assert found.row_count == 1


def test_all_bad_lines_are_counted_and_the_first_ones_named(files: Files) -> None:
    found = files.findings([b"no"] * 25 + [row("c", 1)])
    assert found.bad_count == 25
    assert [number for number, _ in found.bad_lines] == list(range(1, SHOWN_BAD_LINES + 1))


def test_empty_lines_are_nothing(files: Files) -> None:
    found = files.findings([b"", row("c", 1), b"  ", b""])
    assert (found.row_count, found.bad_count) == (1, 0)


def test_a_file_without_messages_is_refused(files: Files) -> None:
    with pytest.raises(UserError, match="holds no messages"):
        files.read([b"", b"   "])


def test_conversations_and_times_are_counted(files: Files) -> None:
    found = files.prepared([row("a", 5), row("b", 1), row("a", 9)])
    assert found.conversation_count == 2
    assert found.earliest is not None
    assert found.latest is not None
    assert (found.earliest.minute, found.latest.minute) == (1, 9)
    assert list(found.conversation_ids()) == ["a", "b"]


def test_a_message_keeps_all_that_its_line_says(files: Files) -> None:
    line = row("a", 1, message_id="m", session_id="s", user_id="u", audio_url="x", language="en")
    [past] = files.prepared([{**line, "metadata": {"b": 1}}]).events()
    assert (past.client_message_id, past.session_id, past.user_id) == ("m", "s", "u")
    content = Content("hi", "x", '{"b":1}')
    assert past.body == MessageRecorded(Role.USER, content, language="en")


def test_the_messages_may_be_read_again(files: Files) -> None:
    found = files.prepared([row("a", n) for n in range(9)])
    assert list(found.events()) == list(found.events())
