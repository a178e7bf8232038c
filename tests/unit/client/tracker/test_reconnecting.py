"""The tracker comes back to a gateway that drops, drains or falls silent."""

import pytest

from parley import clock
from tests.unit.client.gateways import Gateway, Taken
from tests.unit.client.tracker.trackers import flushed, tracking


async def test_a_lost_connection_is_resumed_and_what_is_open_sent_again_in_order(
    gateway: Gateway,
) -> None:
    async def lose_at_fifty(taken: Taken) -> None:
        if taken.peer.number == 1 and taken.payload.get("text") == "50":
            taken.peer.socket.transport.abort()
        elif taken.peer.number > 1 or int(taken.payload["text"]) % 7:
            await gateway.acknowledge(taken)

    gateway.answer = lose_at_fifty
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        for number in range(100):
            tracker.track_message(session, "user", str(number))
        assert await flushed(tracker)
        stats = tracker.get_stats()
    assert gateway.rows() == [str(number) for number in range(100)]
    second = [one.payload["text"] for one in gateway.taken if one.peer.number == 2]
    # Every seventh was left without an answer, as was everything from the fiftieth on; of the
    # other answers some were lost with the connection.
    assert {*range(0, 50, 7), *range(50, 100)} <= {*map(int, second)}
    assert [*map(int, second)] == sorted(map(int, second))
    assert (gateway.hellos[1]["session_id"], gateway.hellos[1]["generation"]) == ("s-1", 1)
    assert stats.reconnects == 1
    assert (stats.accepted, stats.acknowledged, stats.sent) == (100, 100, 100)
    # At least those to which there was no answer, and at most all that came again.
    assert 9 <= stats.resent <= len(second)


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
async def test_whatever_a_gateway_closes_with_the_client_comes_back(
    gateway: Gateway, code: int
) -> None:
    async def close_first(taken: Taken) -> None:
        if taken.peer.number == 1:
            await taken.peer.close(code)
        else:
            await gateway.acknowledge(taken)

    gateway.answer = close_first
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "x")
        assert await flushed(tracker)
    assert gateway.texts() == ["x", "x"]
    assert gateway.taken[0].id == gateway.taken[1].id


async def test_a_draining_gateway_is_left_and_not_troubled_before_its_time(
    gateway: Gateway,
) -> None:
    drained_s: list[float] = []

    async def drain(taken: Taken) -> None:
        if taken.peer.number == 1:
            drained_s.append(clock.monotonic())
            status = {"status": "draining", "retry_after_ms": 400}
            await taken.peer.send("connection_status", status)
            await taken.peer.error("draining", True, id=taken.id, retry_after_ms=0)
        else:
            drained_s.append(clock.monotonic())
            await gateway.acknowledge(taken)

    gateway.answer = drain
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "x")
        assert await flushed(tracker)
    assert gateway.texts() == ["x", "x"]
    assert drained_s[1] - drained_s[0] >= 0.4


async def test_a_gateway_that_answers_nothing_any_more_is_left_for_another_connection(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.client.line.ACK_TIMEOUT_S", 0.3)

    async def deaf_at_first(taken: Taken) -> None:
        if taken.peer.number > 1:
            await gateway.acknowledge(taken)

    gateway.answer = deaf_at_first
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "x")
        assert await flushed(tracker)
    assert gateway.texts() == ["x", "x"]
