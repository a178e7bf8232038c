"""Logs are bounded at each start, and their ends can be read and followed."""

from pathlib import Path

from parley.local import logs


def test_a_log_above_the_limit_is_set_aside(tmp_path: Path) -> None:
    log = logs.path_of(tmp_path, "gateway")
    logs.rotate(log)
    log.write_bytes(b"x" * (logs.ROTATE_BYTES + 1))
    logs.rotate(log)
    assert not log.exists()
    assert log.with_name("gateway.log.1").stat().st_size == logs.ROTATE_BYTES + 1


def test_a_log_within_the_limit_is_kept(tmp_path: Path) -> None:
    log = logs.path_of(tmp_path, "gateway")
    logs.rotate(log)
    log.write_text("old\n")
    logs.rotate(log)
    assert log.read_text() == "old\n"
    assert logs.names(tmp_path) == ["gateway"]


def test_the_last_lines_are_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\nthree\n")
    assert logs.last_lines(log, 2) == ["two", "three"]


def test_a_follower_yields_whole_lines_written_since(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    with logs.Follower(log) as follower, log.open("a", buffering=1) as file:
        file.write("one\ntw")
        file.flush()
        assert list(follower.new_lines()) == ["one"]
        file.write("o\n")
        assert list(follower.new_lines()) == ["two"]


def test_a_follower_goes_on_in_the_new_file_after_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    with logs.Follower(log) as follower:
        log.rename(tmp_path / "log.1")
        log.write_text("new\n")
        assert list(follower.new_lines()) == []
        assert list(follower.new_lines()) == ["new"]
