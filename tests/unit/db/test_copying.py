"""Rows in PostgreSQL's binary format: what cannot be written is refused, and nothing is kept."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

speedups = pytest.importorskip("parley.codec.speedups", reason="there was no C compiler")
rows_to_copy = speedups.rows_to_copy

EVENT_ID = "0190f3a4-5b6c-7d8e-9fab-cdef01234567"


def written(*pairs: tuple[str, Any]) -> bytes:
    row = tuple(value for _, value in pairs)
    made: bytes = rows_to_copy(tuple(kind for kind, _ in pairs), [row])
    return made


def test_a_row_is_its_width_and_its_values_each_with_its_size() -> None:
    assert written(("int4", 7), ("text", "ü"), ("bytea", None)) == bytes(
        [0, 3, *(0, 0, 0, 4), *(0, 0, 0, 7), *(0, 0, 0, 2), 0xC3, 0xBC, *(255, 255, 255, 255)]
    )


def test_json_has_its_version_before_it() -> None:
    assert written(("jsonb", "{}")) == b"\0\1\0\0\0\3\1{}"


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("text", b"a", TypeError),
        ("text", 1, TypeError),
        ("text", "\ud800", ValueError),
        ("jsonb", {}, TypeError),
        ("jsonb", "\udfff", ValueError),
        ("bytea", "a", TypeError),
        ("uuid", "no id", ValueError),
        ("uuid", EVENT_ID.upper(), ValueError),
        ("uuid", EVENT_ID[:-1], ValueError),
        ("uuid", EVENT_ID + "0", ValueError),
        ("uuid", 7, TypeError),
        ("bool", 1, TypeError),
        ("int8", 1 << 63, OverflowError),
        ("int8", -(1 << 63) - 1, OverflowError),
        ("int8", 1.0, TypeError),
        ("int4", 1 << 31, OverflowError),
        ("int4", -(1 << 31) - 1, OverflowError),
        ("timestamptz", datetime(2026, 1, 1), TypeError),  # noqa: DTZ001
        ("timestamptz", timedelta(1), TypeError),
        ("timestamptz", "2026-01-01", TypeError),
        ("interval", 1, TypeError),
        ("text[]", "abc", TypeError),
        ("text[]", ["a", None], TypeError),
        ("numeric", 1, LookupError),
    ],
)
def test_what_a_column_cannot_carry_is_refused(
    kind: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        written(("text", "before"), (kind, value))


@pytest.mark.parametrize("row", [("a",), ("a", "b", "c"), ["a", "b"], "ab", None])
def test_a_row_has_a_value_for_each_column(row: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        rows_to_copy(("text", "text"), [row])


def test_more_columns_than_it_has_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="64"):
        rows_to_copy(("text",) * 65, [("a",) * 65])


def test_values_of_any_length_follow_one_another() -> None:
    long = "x" * 1_000_000
    rows: list[Any] = [(long, "a"), ("", None), ("b", long)]
    sizes = b"".join(
        b"\0\2"
        + b"".join(
            b"\xff" * 4 if one is None else len(one).to_bytes(4, "big") + one.encode()
            for one in row
        )
        for row in rows
    )
    assert rows_to_copy(("text", "text"), rows) == sizes


def test_nothing_is_kept_of_a_row_written_or_refused() -> None:
    moment, text = datetime(2026, 1, 1, 1, 2, 3, 4, UTC), "a text of its own" * 2
    names = [text]
    row, types = (moment, text, names), ("timestamptz", "text", "text[]")
    rows, bad = [row], [row, (moment, text, 7)]
    before = [sys.getrefcount(one) for one in (moment, text, names, row, rows, types)]
    for _ in range(50):
        rows_to_copy(types, rows)
        with pytest.raises(TypeError):
            rows_to_copy(types, bad)
    assert [sys.getrefcount(one) for one in (moment, text, names, row, rows, types)] == before
