"""What the calls of an attempt have cost."""

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from parley.analyses import Charge, Lane
from parley.ids import derived_id
from services.analyzer.core.charges import refused, settled

DAY = date(2026, 3, 1)


def reserved(count: int) -> list[Charge]:
    return [Charge(derived_id(str(number)), DAY, Lane.LIVE, "", 100) for number in range(count)]


def actual(charges: tuple[Charge, ...]) -> list[int | None]:
    return [charge.actual_micro_usd for charge in charges]


@given(st.integers(1, 9), st.integers(0, 10**12))
def test_the_parts_are_what_the_calls_cost_together(count: int, cost: int) -> None:
    charges = settled(reserved(count), cost)
    assert len(charges) == count
    assert sum(charge.counted_micro_usd for charge in charges) == cost


def test_without_a_call_there_is_nothing_to_settle() -> None:
    assert settled([], 0) == ()
    assert refused([], 0, "no_provider") == ()


def test_a_refused_call_cost_nothing() -> None:
    assert actual(refused(reserved(1), 0, "rate_limited")) == [0]


def test_of_a_repair_that_was_refused_the_first_answer_is_paid() -> None:
    assert actual(refused(reserved(2), 35, "rate_limited")) == [35, 0]


def test_what_may_have_been_paid_for_stays_reserved() -> None:
    assert actual(refused(reserved(1), 0, "timeout")) == [None]
    assert actual(refused(reserved(2), 35, "connection_lost")) == [35, None]


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_was_settled_before_stays_as_it_was(first: int, second: int) -> None:
    answered, repaired = reserved(2)
    known = replace(answered, actual_micro_usd=first)
    assert actual(settled([known, repaired], first + second)) == [first, second]
    assert actual(refused([known, repaired], first, "rate_limited")) == [first, 0]
