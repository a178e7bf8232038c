"""Tests of where an export goes: whole, or not at all."""

import resource
from pathlib import Path

import pytest

from parley.errors import UserError
from parley.exporting.target import open_target


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old")
    with open_target(str(path)) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old")
    with pytest.raises(error), open_target(str(path)) as file:
        file.write(b"new")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["missing/a.jsonl", "."])
def test_what_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(UserError, match=r"Cannot write|is no file"),
        open_target(f"{tmp_path}/{name}"),
    ):
        pass


def test_a_disk_that_is_full_at_the_end_is_told_and_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old")
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, most))
    try:
        with (
            pytest.raises(UserError, match=r"Cannot write .*: File too large"),
            open_target(str(path)) as file,
        ):
            file.write(bytes(5_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
