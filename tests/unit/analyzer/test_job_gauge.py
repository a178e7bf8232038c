"""Parked jobs are told apart by what they wait for."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from prometheus_client import REGISTRY

from parley.analyses import Lane
from services.analyzer.observing import JobGauge
from services.analyzer.store.claims import Suspension


class Counted:
    """A store that has these parked jobs, and stops who asks."""

    def __init__(self, **parked: int) -> None:
        self.stop = asyncio.Event()
        self._parked = parked
        self.not_called: list[str] = []

    async def count_unfinished(self) -> Mapping[tuple[str, Lane, str], int]:
        return {("parked", Lane.LIVE, reason): n for reason, n in self._parked.items()}

    async def count_open(self, fingerprints: Sequence[str]) -> int:
        return 5 * len(fingerprints)

    async def suspensions(self) -> list[Suspension]:
        self.stop.set()
        return []


async def count(store: Counted) -> None:
    await JobGauge(cast(Any, store), lambda: store.not_called).run(store.stop)


def exported(reason: str) -> float | None:
    return REGISTRY.get_sample_value("parley_analyzer_parked_jobs", {"reason": reason})


async def test_parked_jobs_are_told_apart_by_what_they_wait_for() -> None:
    await count(Counted(budget=3, no_provider=4))
    assert (exported("budget"), exported("no_provider")) == (3, 4)


async def test_what_nothing_is_parked_for_any_more_is_not_exported() -> None:
    await count(Counted(budget=3))
    await count(Counted())
    assert exported("budget") is None


async def test_open_jobs_whose_model_does_not_answer_wait_for_it() -> None:
    store = Counted(budget=3)
    store.not_called = ["f"]
    await count(store)
    assert (exported("provider_down"), exported("budget")) == (5, 3)
