"""Ports are chosen among the free ones, and a listener is known by its process."""

import os
import socket
from collections.abc import Iterator

import pytest

from parley.local import ports


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_a_preferred_port_that_is_free_is_chosen() -> None:
    [free] = ports.choose([None])
    assert ports.choose([free]) == [free]


def test_a_taken_port_is_replaced_by_another(taken_port: int) -> None:
    [chosen] = ports.choose([taken_port])
    assert chosen != taken_port


def test_two_that_prefer_the_same_port_get_different_ones() -> None:
    [free] = ports.choose([None])
    first, second = ports.choose([free, free])
    assert first == free
    assert second != free


def test_the_listener_is_the_process_that_listens_and_no_other(taken_port: int) -> None:
    assert ports.is_listening(os.getpid(), taken_port)
    assert not ports.is_listening(os.getppid(), taken_port)


def test_a_listener_is_described_by_its_process(taken_port: int) -> None:
    assert str(os.getpid()) in ports.describe_listener(taken_port)
