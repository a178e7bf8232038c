"""Where the tests' servers come from is decided by what there is, and has a reason."""

import gc

import pytest

from tests.support import stacks
from tests.support.stacks import choose, what_is_missing


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PARLEY_TEST_STACK", "PARLEY_TEST_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_asking_for_an_engine_that_is_not_there_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert what_is_missing() == "no Docker engine answers"
    gc.collect()  # A socket left open would warn here, and a warning fails the test.


def test_an_engine_without_images_is_a_reason_for_an_embedded_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reason = "the Docker engine has no apache/kafka:4.1.1 and gets none (APIError)"
    monkeypatch.setattr(stacks, "what_is_missing", lambda: reason)
    assert (choose().kind, choose().reason) == ("embedded", reason)


@pytest.mark.parametrize("kind", ["embedded", "containers"])
def test_who_runs_the_tests_decides(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "what_is_missing", lambda: pytest.fail("nobody needs to know"))
    monkeypatch.setenv("PARLEY_TEST_STACK", kind)
    assert choose().kind == kind


def test_a_kind_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_TEST_STACK", "docker")
    with pytest.raises(ValueError, match="PARLEY_TEST_STACK is docker"):
        choose()
