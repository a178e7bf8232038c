"""Tests of opening what is imported."""

import gzip
import io
from pathlib import Path

import pytest

from parley.errors import UserError
from parley.importing.rows import MAX_LINE_BYTES
from parley.importing.source import Source, open_source


def lines_of(path: Path) -> list[tuple[int, bytes]]:
    with open_source(str(path)) as source:
        return list(source.lines())


def test_lines_are_numbered_from_one(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"a\nb")
    assert lines_of(file) == [(1, b"a\n"), (2, b"b")]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl"])
def test_gzip_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(gzip.compress(b"a\n"))
    assert lines_of(file) == [(1, b"a\n")]


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"\xef\xbb\xbf{}\n")
    assert lines_of(file) == [(1, b"{}\n")]


def test_utf16_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes("{}".encode("utf-16"))
    with pytest.raises(UserError, match="iconv"):
        lines_of(file)


def test_a_cut_gzip_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.gz"
    file.write_bytes(gzip.compress(b"a\n" * 1000)[:-9])
    with pytest.raises(UserError, match="not a whole gzip file"):
        lines_of(file)


def test_a_file_that_is_only_called_gz_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.gz"
    file.write_bytes(b"{}")
    with pytest.raises(UserError, match="not a whole gzip file"):
        lines_of(file)


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.gz"
    file.write_bytes(b"")
    assert lines_of(file) == []


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="Cannot read"):
        lines_of(tmp_path / name)


def test_a_line_that_is_too_long_is_cut_and_the_next_one_is_whole() -> None:
    raw = io.BufferedReader(io.BytesIO(b"x" * (2 * MAX_LINE_BYTES + 5) + b"\nnext\n"))
    lines = list(Source("a", raw, None).lines())  # type: ignore[arg-type]
    assert [(number, len(line)) for number, line in lines] == [(1, MAX_LINE_BYTES), (2, 5)]


def test_the_progress_is_in_bytes_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b"a\n" * 1000))
    with open_source(str(file)) as source:
        assert source.total_bytes == file.stat().st_size
        list(source.lines())
        assert source.bytes_read() == source.total_bytes
