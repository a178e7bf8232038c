"""Coverage, what is missing and statistics, for people."""

from datetime import date
from typing import Any

from parley.cli.coverage import line_of, totals
from parley.cli.missing import line_of as missing_line
from parley.cli.stats import sentence
from parley.results.coverage import Lacking
from parley.results.lacking import Lack, Why


def row(day: int, **counts: int) -> dict[str, Any]:
    zeros = dict.fromkeys(("segments", "current", "missing", "stale", "parked", "failed"), 0)
    return {"pass_name": "p", "pass_version": 1, "day": date(2026, 1, day), **zeros, **counts}


def test_days_are_added_up_by_pass_and_version() -> None:
    rows = [row(2, segments=3, current=3), row(1, segments=2, failed=1, missing=1)]
    [whole] = totals([*rows])
    assert line_of(whole) == {
        "pass": "p@1",
        "segments": 5,
        "current": 3,
        "missing": 1,
        "stale": 0,
        "parked": 0,
        "failed": 1,
    }
    assert line_of(rows[0])["day"] == "2026-01-02"
    assert len(totals([*rows, {**row(1), "pass_version": 2}])) == 2


def test_a_reason_comes_with_all_that_explains_it() -> None:
    segment = {"conversation_id": "c", "segment_id": "s", "revision": 2, "ended_at": None}
    lack = Lack("p", 1, Why.FAILED, "ValueError", 3, former=(1, 1))
    line = missing_line(Lacking(segment, lack))
    assert line["detail"] == "ValueError; 3 attempts; stale: has one of revision 1 by version 1"
    assert missing_line(Lacking(segment, Lack("p", 1, Why.NO_JOB)))["detail"] == ""


def test_what_there_is_is_said_in_words() -> None:
    whole = {"conversations": 1, "messages": 1_200, "sessions": 0, "segments": 2}
    said = sentence(whole, [{"verdicts": 3}, {"verdicts": 4}])
    assert said == "1 conversation · 1,200 messages · 0 sessions · 2 segments · 7 verdicts"
