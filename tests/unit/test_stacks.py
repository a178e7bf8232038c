"""Where no Docker engine answers, asking for one must not trouble the tests that follow."""

import gc

import pytest

from tests.support.stacks import has_engine


def test_asking_for_an_engine_that_is_not_there_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert not has_engine()
    gc.collect()  # A socket left open would warn here, and a warning fails the test.
