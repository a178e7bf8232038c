"""Kafka's jars are complete and unchanged, or they are fetched again."""

import hashlib
from pathlib import Path

import pytest

from parley.errors import UserError
from parley.local import jars
from parley.local.jars import Jar


def test_the_lock_names_the_broker_and_every_hash() -> None:
    locked = jars.read_lock()
    assert "kafka_2.13-4.2.1.jar" in {jar.file_name for jar in locked}
    assert {len(jar.sha256) for jar in locked} == {64}


def test_a_torn_jar_is_not_taken_for_the_whole_one(tmp_path: Path) -> None:
    jar = Jar("group", "artifact", "1", hashlib.sha256(b"whole").hexdigest())
    path = tmp_path / jar.file_name
    assert not jar.is_at(path)
    path.write_bytes(b"who")
    assert not jar.is_at(path)
    path.write_bytes(b"whole")
    assert jar.is_at(path)


def test_a_complete_folder_is_used_without_a_download(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "jars").mkdir()
    marker = hashlib.sha256(jars.LOCK_FILE.read_bytes()).hexdigest()
    (tmp_path / "jars" / jars.MARKER).write_text(marker)
    assert jars.ensure(tmp_path, said.append) == tmp_path / "jars"
    assert said == []


def test_a_download_that_fails_says_what_to_do_and_leaves_no_complete_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="Check the network"):
        jars.ensure(tmp_path, lambda _: None)
    assert not (tmp_path / "jars").exists()
