"""Tests of reading CSV: columns, quotes, broken rows, and what an empty cell says."""

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.errors import UserError
from parley.importing.delimited import CsvFormat
from parley.importing.rows import MAX_LINE_BYTES, BadLine, ImportRow, ReadRow, row_from
from parley.importing.source import Source, open_source

HEADER = "conversation_id,role,content,occurred_at"
TAIL = "2024-05-01T12:00:00Z"


def read(text: str | bytes, **form: Any) -> list[ReadRow]:
    content = text if isinstance(text, bytes) else text.encode()
    raw = io.BufferedReader(io.BytesIO(content))
    return list(CsvFormat(**form).rows(Source("chats.csv", raw, None)))  # type: ignore[arg-type]


def good(rows: list[ReadRow]) -> list[ImportRow]:
    assert all(isinstance(one.found, ImportRow) for one in rows), rows
    return [one.found for one in rows if isinstance(one.found, ImportRow)]


def bad(rows: list[ReadRow]) -> dict[int, str]:
    return {one.number: str(one.found) for one in rows if isinstance(one.found, BadLine)}


def test_a_row_is_a_message() -> None:
    [row] = good(read(f"{HEADER},message_id,user_id\nc1,user,hello,{TAIL},m1,u1\n"))
    assert (row.conversation_id, row.role, row.text) == ("c1", "user", "hello")
    assert (row.message_id, row.user_id) == ("m1", "u1")


def test_the_columns_may_come_in_any_order() -> None:
    [row] = good(read(f"occurred_at,content,role,conversation_id\n{TAIL},hello,user,c1\n"))
    assert (row.conversation_id, row.text) == ("c1", "hello")


def test_a_quoted_cell_holds_commas_quotes_and_line_ends() -> None:
    rows = read(f'{HEADER}\nc1,user,"a, ""b""\nc",{TAIL}\nc2,user,d,{TAIL}\n')
    assert [row.text for row in good(rows)] == ['a, "b"\nc', "d"]
    assert [one.number for one in rows] == [2, 4]


def test_other_names_are_mapped_and_other_columns_ignored() -> None:
    names = {"conversation_id": "thread", "content": "body"}
    [row] = good(
        read(
            f"thread,role,body,content,occurred_at,mood\nt1,user,used,unused,{TAIL},x\n",
            names=names,
        )
    )
    assert (row.conversation_id, row.text) == ("t1", "used")
    assert row.ignored_fields == {"mood"}


def test_an_empty_cell_says_nothing_but_a_content_may_be_empty() -> None:
    [row] = good(read(f"{HEADER},message_id,metadata\nc1,user,,{TAIL},,\n"))
    assert (row.text, row.message_id, row.metadata_json) == ("", "", "")


def test_metadata_is_a_json_object() -> None:
    rows = read(f'{HEADER},metadata\nc,user,a,{TAIL},"{{""n"": 1}}"\nc,user,a,{TAIL},no\n')
    assert good(rows[:1])[0].metadata_json == '{"n":1}'
    assert bad(rows) == {3: "metadata is not valid JSON"}


def test_a_file_without_ids_gives_each_row_the_digest_that_jsonl_gives() -> None:
    [row] = good(read(f"{HEADER}\nc1,user,hello,{TAIL}\n"))
    fields = dict(zip(HEADER.split(","), ("c1", "user", "hello", TAIL), strict=True))
    assert row == row_from(fields)


def test_a_bad_row_says_why_and_the_others_are_read() -> None:
    rows = read(
        f"{HEADER}\nc,user,a,{TAIL}\nc,boss,a,{TAIL}\nc,user,a\n,user,a,{TAIL}\n"
        f'c,user,"a"b,{TAIL}\nc,user,a,{TAIL}\n\nc,user,a,soon\n'.encode()
        + b"c,user,\xff,"
        + TAIL.encode()
    )
    assert bad(rows) == {
        3: "role is none of user, assistant, system, tool",
        4: "3 cells, where the header names 4",
        5: "conversation_id is missing",
        6: "not valid CSV (',' expected after '\"')",
        9: "occurred_at is not an ISO 8601 time such as 2024-05-01T12:00:00Z",
        10: "content is not UTF-8",
    }
    assert [one.number for one in rows if isinstance(one.found, ImportRow)] == [2, 7]


def test_a_quote_that_is_never_closed_is_a_bad_row() -> None:
    assert list(bad(read(f'{HEADER}\nc,user,"a,{TAIL}\nc,user,b,{TAIL}\n'))) == [2]


def test_a_line_that_is_too_long_is_a_bad_row_and_the_next_one_is_read() -> None:
    long = "x" * MAX_LINE_BYTES
    rows = read(f"{HEADER}\nc,user,{long},{TAIL}\nc,user,a,{TAIL}\n")
    assert bad(rows) == {2: f"longer than {MAX_LINE_BYTES:,} bytes"}
    assert [one.number for one in rows] == [2, 3]


def test_another_delimiter() -> None:
    text = f"{HEADER}\nc1,user,a;b,{TAIL}\n".replace(",", "\t")
    assert good(read(text, delimiter="\t"))[0].text == "a;b"


@pytest.mark.parametrize(
    ("text", "names", "said"),
    [
        ("", {}, "is empty"),
        ("conversation_id;role;content;occurred_at\n", {}, "no column for conversation_id, role"),
        (f"{HEADER}\n", {"mood": "role"}, "mood is no field"),
        (f"{HEADER}\n", {"content": "text"}, "has no column text"),
        (f"{HEADER}\n", {"content": "role"}, "no column for role"),
        (f"{HEADER},x\n", {"user_id": "x", "author": "x"}, "one column two names"),
        (f"{HEADER},content\n", {}, "two columns for content"),
        ('"a"b\n', {}, "header of chats.csv cannot be read"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(text: str, names: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(text, names=names)


def test_a_header_in_another_encoding_is_refused() -> None:
    text = "conversation_id,role,content,occurred_at,pr\N{LATIN SMALL LETTER E WITH ACUTE}nom\n"
    with pytest.raises(UserError, match="not UTF-8"):
        read(text.encode("latin-1"))


@given(st.lists(st.text(st.characters(exclude_characters="\r\0", codec="utf-8")), max_size=20))
def test_whatever_was_written_is_read(texts: list[str]) -> None:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    writer.writerows(["c", "user", text, TAIL] for text in texts)
    assert [row.text for row in good(read(file.getvalue()))] == texts


def test_gzip_and_a_byte_order_mark_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(f"\ufeff{HEADER}\r\nc,user,a,{TAIL}\r\n".encode()))
    with open_source(str(file)) as source:
        assert good(list(CsvFormat().rows(source)))[0].text == "a"
