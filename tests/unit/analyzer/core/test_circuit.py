"""When a model that does not answer is left alone."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.core.circuit import (
    MOST_BLAMED,
    NO_REST,
    Circuit,
    CircuitRules,
    CircuitState,
    rest_after,
    with_jitter,
)
from tests.unit.analyzer.samples import at

RULES = CircuitRules(3, timedelta(seconds=10), timedelta(seconds=35))


def failing(circuit: Circuit, times: int, now: datetime) -> Circuit:
    for _ in range(times):
        circuit = circuit.failed(now, RULES, NO_REST)
    return circuit


def test_it_opens_with_the_last_of_so_many_failures_in_a_row() -> None:
    assert failing(Circuit(), 2, at(0)).state(at(0)) is CircuitState.CLOSED
    opened = failing(Circuit(), 3, at(0))
    assert opened.state(at(0)) is CircuitState.OPEN
    assert opened.free_calls(at(9.999), 8) == 0


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    assert failing(failing(Circuit(), 2, at(0)).answered(), 2, at(1)).state(at(1)) is (
        CircuitState.CLOSED
    )


def test_at_the_end_of_its_rest_one_call_finds_out() -> None:
    half_open = failing(Circuit(), 3, at(0))
    assert half_open.state(at(10)) is CircuitState.HALF_OPEN
    assert half_open.free_calls(at(10), 8) == 1
    probing = half_open.probing(at(10))
    assert probing.free_calls(at(10), 8) == 0
    assert probing.undecided().free_calls(at(10), 8) == 1
    assert probing.answered().free_calls(at(10), 8) == 8


def test_the_rest_doubles_with_each_probe_that_fails_up_to_the_longest() -> None:
    circuit, now, rests = failing(Circuit(), 3, at(0)), at(0), []
    for _ in range(4):
        assert circuit.open_until is not None
        rests.append((circuit.open_until - now).total_seconds())
        now = circuit.open_until
        circuit = circuit.probing(now).failed(now, RULES, NO_REST)
    assert rests == [10, 20, 35, 35]


def test_calls_that_fail_while_it_is_open_open_it_no_further() -> None:
    opened = failing(Circuit(), 3, at(0))
    late = failing(opened, 5, at(1))
    assert (late.open_until, late.opening_count) == (opened.open_until, 1)


def test_the_provider_may_ask_for_a_longer_rest() -> None:
    opened = failing(Circuit(), 2, at(0)).failed(at(0), RULES, timedelta(seconds=20))
    assert opened.open_until == at(20)
    assert opened.failed(at(1), RULES, timedelta(seconds=25)).open_until == at(26)
    # Nobody may stop the pass for ever.
    assert opened.failed(at(1), RULES, timedelta(days=9)).open_until == at(36)


@given(st.integers(0, 10**6), st.floats(0, 1), st.integers(0, 600))
def test_a_rest_with_jitter_is_never_shorter_than_asked_for_nor_longer_than_the_longest(
    count: int, chance: float, asked_s: int
) -> None:
    longest, asked = timedelta(seconds=60), timedelta(seconds=asked_s)
    rest = rest_after(count, timedelta(seconds=1), longest)
    assert timedelta(seconds=1) <= rest <= longest
    assert asked <= with_jitter(rest, asked, chance) <= asked + longest


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=60))
def test_an_open_circuit_always_becomes_half_open_and_never_lets_two_calls_probe(
    steps: list[tuple[bool, int]],
) -> None:
    circuit, now = Circuit(), at(0)
    for has_answered, seconds in steps:
        now += timedelta(seconds=seconds)
        if circuit.free_calls(now, 5):
            circuit = circuit.probing(now)
            assert circuit.state(now) is CircuitState.CLOSED or not circuit.free_calls(now, 5)
        circuit = circuit.answered() if has_answered else circuit.failed(now, RULES, NO_REST)
        assert circuit.free_calls(now + RULES.longest_rest, 5) >= 1


def over(circuit: Circuit, *segment_ids: str | None) -> Circuit:
    for segment_id in segment_ids:
        circuit = circuit.failed(at(0), RULES, NO_REST, segment_id)
    return circuit


def test_failures_over_one_segment_open_it_no_more_than_one_of_them() -> None:
    poisoned = over(Circuit(), *["poison"] * 9, "another")
    assert (poisoned.state(at(0)), poisoned.failure_count) == (CircuitState.CLOSED, 10)
    assert over(poisoned, "a third").state(at(0)) is CircuitState.OPEN


def test_failures_that_are_no_segments_open_it_each() -> None:
    assert over(Circuit(), "a", None).state(at(0)) is CircuitState.CLOSED
    assert over(Circuit(), "a", None, None).state(at(0)) is CircuitState.OPEN


def test_it_remembers_the_segments_until_the_model_answers_and_not_too_many() -> None:
    opened = over(Circuit(), "a", "b", "a", "c", "d")
    assert opened.blamed == ("a", "b", "c", "d")
    assert opened.answered().blamed == ()
    many = over(opened, *map(str, range(MOST_BLAMED)))
    assert many.blamed == tuple(map(str, range(MOST_BLAMED)))


def test_a_probe_that_fails_over_a_known_segment_opens_it_again() -> None:
    half_open = over(Circuit(), "a", "b", "c")
    again = half_open.probing(at(10)).failed(at(10), RULES, NO_REST, "a")
    assert (again.open_until, again.is_probing) == (at(30), False)
