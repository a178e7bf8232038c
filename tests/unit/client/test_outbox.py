"""Tests of which frame is sent next."""

from weakref import ref

from hypothesis import given
from hypothesis import strategies as st

from parley.client.backoff import Backoff
from parley.client.outbox import Outbox
from parley.client.sending import Outgoing


def frame(number: int) -> Outgoing:
    return Outgoing(str(number), b"")


def filled(count: int, max_in_flight: int = 64) -> Outbox:
    outbox = Outbox(max_in_flight)
    for number in range(count):
        outbox.add(frame(number))
    return outbox


def take_all(outbox: Outbox, now_s: float = 0.0) -> list[str]:
    taken = []
    while (one := outbox.take(now_s)) is not None:
        taken.append(one[0].frame_id)
    return taken


def test_frames_go_in_order_and_not_more_than_the_window() -> None:
    outbox = filled(5, max_in_flight=3)
    assert take_all(outbox) == ["0", "1", "2"]
    outbox.settle("1")
    assert take_all(outbox) == ["3"]
    assert len(outbox) == 4


def test_after_a_lost_connection_the_old_ones_go_first_and_in_their_old_order() -> None:
    outbox = filled(6, max_in_flight=4)
    take_all(outbox)
    outbox.refuse_for_now("2", 0.0)
    outbox.settle("1")
    outbox.lose_connection()
    assert take_all(outbox) == ["0", "2", "3", "4"]


def test_a_refusal_for_now_holds_everything_back_until_its_time() -> None:
    outbox = filled(3, max_in_flight=2)
    take_all(outbox)
    assert outbox.refuse_for_now("0", 5.0)
    assert take_all(outbox, 4.9) == []
    assert outbox.held_until_s(4.9) == 5.0
    assert take_all(outbox, 5.0) == ["0"]
    assert outbox.held_until_s(5.0) is None


def test_a_new_connection_need_not_wait_for_what_the_old_one_said() -> None:
    outbox = filled(1)
    take_all(outbox)
    outbox.refuse_for_now("0", 5.0)
    outbox.lose_connection()
    assert take_all(outbox, 1.0) == ["0"]


def test_an_answer_that_comes_twice_changes_nothing() -> None:
    outbox = filled(2)
    take_all(outbox)
    assert outbox.settle("0") is not None
    assert outbox.settle("0") is None
    assert not outbox.refuse_for_now("0", 1.0)
    assert outbox.settle("nobody's") is None


def test_what_was_withdrawn_is_not_sent_and_may_come_back_under_its_id() -> None:
    outbox = filled(3)
    outbox.settle("1")
    outbox.add(frame(1))
    assert take_all(outbox) == ["0", "2", "1"]


def test_what_was_withdrawn_twice_is_not_sent_and_a_lost_connection_is_no_error() -> None:
    outbox = Outbox()
    for _ in range(2):
        outbox.add(frame(1))
        outbox.settle("1")
    outbox.add(frame(2))
    assert take_all(outbox) == ["2"]
    outbox.lose_connection()
    assert take_all(outbox) == ["2"]


def test_what_was_withdrawn_before_there_was_a_connection_is_not_kept() -> None:
    class Kept(Outgoing):
        """One that can be looked for."""

        __slots__ = ("__weakref__",)

    outbox = Outbox()
    kept = Kept("1", b"")
    gone = ref(kept)
    outbox.add(kept)
    del kept
    outbox.settle("1")
    assert gone() is None


def test_a_frame_that_is_too_big_is_found_by_sending_one_by_one() -> None:
    outbox = filled(4)
    take_all(outbox)
    assert outbox.suspect_in_flight() is None
    outbox.lose_connection()
    assert take_all(outbox) == ["0"]
    outbox.settle("0")
    assert take_all(outbox) == ["1"]
    assert outbox.suspect_in_flight() == "1"
    outbox.settle("1")
    outbox.lose_connection()
    assert take_all(outbox) == ["2"]
    outbox.settle("2")
    outbox.settle("3")
    outbox.add(frame(4))
    outbox.add(frame(5))
    assert take_all(outbox) == ["4", "5"]


@given(st.lists(st.sampled_from(["take", "settle", "refuse", "lose", "add"]), max_size=200))
def test_whatever_happens_each_frame_is_sent_until_it_is_settled_and_resent_in_order(
    steps: list[str],
) -> None:
    outbox = Outbox(4)
    added: list[str] = []
    flying: list[str] = []
    settled: set[str] = set()
    for step in steps:
        if step == "add":
            added.append(str(len(added)))
            outbox.add(frame(len(added) - 1))
        elif step == "take" and (taken := outbox.take(0.0)) is not None:
            assert taken[0].frame_id not in settled
            flying.append(taken[0].frame_id)
        elif step == "settle" and flying:
            one = flying.pop()
            settled.add(one)
            assert outbox.settle(one) == frame(int(one))
        elif step == "refuse" and flying:
            assert outbox.refuse_for_now(flying.pop(0), 0.0)
        elif step == "lose":
            outbox.lose_connection()
            flying.clear()
    assert outbox.in_flight == len(flying) <= 4
    outbox.lose_connection()
    rest = []
    while (taken := outbox.take(0.0)) is not None:
        rest.append(taken[0].frame_id)
        outbox.settle(taken[0].frame_id)
    assert rest == [one for one in added if one not in settled]
    assert len(outbox) == 0


def test_delays_grow_to_a_bound_and_begin_anew() -> None:
    backoff = Backoff(first_s=0.1, longest_s=10.0)
    delays = [backoff.next_s() for _ in range(50)]
    for attempt, delay_s in enumerate(delays):
        whole_s = min(10.0, 0.1 * 2.0**attempt)
        assert whole_s / 2 <= delay_s <= whole_s
    assert len(set(delays[10:])) > 10
    backoff.reset()
    assert backoff.next_s() <= 0.1
