"""How many workers take jobs of backfills, and how many are kept for live ones."""

import pytest

from services.analyzer.engine import worker_slots
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import Slots


@pytest.mark.parametrize(
    ("workers", "live", "expected"),
    [(1, 1, (0, 1)), (2, 1, (1, 1)), (3, 1, (1, 2)), (3, 0, (0, 3)), (3, 9, (2, 1))],
)
def test_some_workers_are_kept_for_live_jobs_and_one_takes_backfills_in_any_case(
    workers: int, live: int, expected: tuple[int, int]
) -> None:
    settings = AnalyzerSettings(analyzer_workers=workers, analyzer_live_workers=live)
    found = worker_slots(settings)
    both = Slots(settings.analyzer_claim_jobs, settings.analyzer_claim_backfill_jobs)
    only_live = Slots(settings.analyzer_claim_jobs, 0)
    assert (found.count(only_live), found.count(both)) == expected
    assert len(found) == workers
