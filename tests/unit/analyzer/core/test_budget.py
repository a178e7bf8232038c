"""What a pass may spend for a tenant on a day, and what is kept for the live lane."""

from hypothesis import given
from hypothesis import strategies as st

from parley.analyses import Lane
from services.analyzer.core.budget import NO_LIMIT, Limits, Spent, limits_of


def test_without_a_budget_there_is_room_for_anything() -> None:
    assert limits_of(None, 0.5).room(Spent(10**12, 10**12), Lane.BACKFILL) > NO_LIMIT // 2


def test_a_backfill_leaves_the_live_share() -> None:
    limits = limits_of(1_000, 0.3)
    assert limits == Limits(1_000, 700)
    assert limits.room(Spent(), Lane.BACKFILL) == 700
    assert limits.room(Spent(0, 700), Lane.BACKFILL) == 0
    assert limits.room(Spent(0, 700), Lane.LIVE) == 300


def test_what_live_jobs_have_spent_is_not_there_for_a_backfill() -> None:
    limits = limits_of(1_000, 0.5)
    assert limits.room(Spent(800, 100), Lane.BACKFILL) == 100
    assert limits.room(Spent(900, 100), Lane.BACKFILL) == 0


def test_a_budget_that_was_lowered_has_less_than_no_room() -> None:
    assert limits_of(100, 0.5).room(Spent(150, 0), Lane.LIVE) == -50


@given(
    st.integers(0, 10_000),
    st.floats(0, 1),
    st.lists(st.tuples(st.sampled_from(Lane), st.integers(0, 2_000)), max_size=50),
)
def test_however_jobs_come_neither_limit_is_passed(
    budget: int, live_share: float, jobs: list[tuple[Lane, int]]
) -> None:
    limits, spent = limits_of(budget, live_share), Spent()
    for lane, amount in jobs:
        if amount > limits.room(spent, lane):
            continue
        live, backfill = spent.live_micro_usd, spent.backfill_micro_usd
        is_live = lane is Lane.LIVE
        spent = Spent(live + amount * is_live, backfill + amount * (not is_live))
    assert spent.live_micro_usd + spent.backfill_micro_usd <= budget
    assert spent.backfill_micro_usd <= budget * (1 - live_share) + 1e-6
