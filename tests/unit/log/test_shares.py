"""Batches that take too long are halved, and grow again."""

from typing import Any, cast

import asyncpg
import pytest

from parley.log.consumer.shares import GROW_AFTER, Shares, took_too_long


def records(count: int) -> Any:
    return cast(Any, list(range(count)))


def test_without_trouble_a_batch_is_whatever_came() -> None:
    assert Shares().cut(0, records(500)) == records(500)


def test_a_batch_that_took_too_long_is_halved_until_it_is_one_record() -> None:
    shares = Shares()
    sizes = [shares.halve(0, shares.cut(0, records(9))) for _ in range(5)]
    assert sizes == [4, 2, 1, 1, 1]
    assert shares.cut(1, records(9)) == records(9)


def test_batches_that_succeed_grow_until_none_is_cut() -> None:
    shares = Shares()
    shares.halve(0, records(16))
    sizes = []
    for _ in range(3 * GROW_AFTER + 1):
        batch = shares.cut(0, records(40))
        sizes.append(len(batch))
        shares.grow(0, batch)
    assert sizes == [8] * GROW_AFTER + [16] * GROW_AFTER + [32] * GROW_AFTER + [40]


def test_a_batch_that_was_not_cut_ends_the_care() -> None:
    shares = Shares()
    shares.halve(0, records(16))
    shares.grow(0, records(7))
    assert shares.cut(0, records(500)) == records(500)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (asyncpg.QueryCanceledError("statement timeout"), True),
        (asyncpg.DeadlockDetectedError("deadlock"), False),
        (TimeoutError(), False),
    ],
    ids=["statement", "deadlock", "client"],
)
def test_only_the_servers_own_word_counts(error: Exception, *, expected: bool) -> None:
    assert took_too_long(error) is expected
