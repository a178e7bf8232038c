"""Parked jobs are told apart by what they wait for."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from prometheus_client import REGISTRY

from services.analyzer.worker import JobGauge


class Counted:
    """A store that has these parked jobs, and stops who asks."""

    def __init__(self, **parked: int) -> None:
        self.stop = asyncio.Event()
        self._parked = parked

    async def count_unfinished(self) -> Mapping[Any, int]:
        return {}

    async def count_parked(self) -> Mapping[str, int]:
        self.stop.set()
        return self._parked


async def count(store: Counted) -> None:
    await JobGauge(cast(Any, store)).run(store.stop)


def exported(reason: str) -> float | None:
    return REGISTRY.get_sample_value("parley_analyzer_parked_jobs", {"reason": reason})


async def test_parked_jobs_are_told_apart_by_what_they_wait_for() -> None:
    await count(Counted(budget=3, no_provider=4))
    assert (exported("budget"), exported("no_provider")) == (3, 4)


async def test_what_nothing_is_parked_for_any_more_is_not_exported() -> None:
    await count(Counted(budget=3))
    await count(Counted())
    assert exported("budget") is None
