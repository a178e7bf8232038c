"""Gateways that are heard of, and those that went silent."""

from services.gateway.rooms.presence import BEAT_S, SILENCE_S, Heartbeats


def test_a_gateway_that_is_heard_often_enough_is_never_silent() -> None:
    hearts = Heartbeats()
    for second in range(0, 100, int(BEAT_S)):
        hearts.hear("a", float(second))
        assert hearts.take_silent(float(second)) == []


def test_a_gateway_that_went_silent_is_told_once_and_may_come_back() -> None:
    hearts = Heartbeats()
    hearts.hear("a", 0.0)
    hearts.hear("b", 10.0)
    assert hearts.take_silent(SILENCE_S) == []
    assert hearts.take_silent(SILENCE_S + 0.1) == ["a"]
    assert hearts.take_silent(SILENCE_S + 0.2) == []
    hearts.hear("a", 100.0)
    assert hearts.take_silent(101.0) == ["b"]


def test_a_beat_is_due_now_and_then() -> None:
    hearts = Heartbeats()
    assert hearts.is_due(0.0)
    assert not hearts.is_due(BEAT_S - 0.1)
    assert hearts.is_due(BEAT_S)
