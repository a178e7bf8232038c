"""State files are replaced as a whole and are readable only by their owner."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from parley.local.state import StateFile


def test_an_absent_file_is_an_empty_object(tmp_path: Path) -> None:
    assert StateFile(tmp_path / "state.json").read() == {}


def test_an_update_keeps_the_other_keys_and_removes_those_set_to_none(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "state.json")
    state.update(kafka=1, postgres=2)
    state.update(kafka=None, gateway=3)
    assert state.read() == {"postgres": 2, "gateway": 3}


def test_concurrent_updates_lose_nothing(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "state.json")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: state.update(**{f"key{number}": number}), range(50)))
    assert len(state.read()) == 50


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "state.json")
    state.update(password="secret")
    assert state.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
