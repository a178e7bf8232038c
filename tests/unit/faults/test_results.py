"""What was done at a commit is not done again; what did not come out right is."""

from pathlib import Path

from tests.faults.results import Results
from tests.faults.row import Findings
from tests.faults.rows import ROWS

ROW = ROWS["persister-kill"]


def test_goes_that_came_out_right_add_up_and_others_are_to_be_done_again(tmp_path: Path) -> None:
    results = Results("c0ffee", tmp_path)
    assert results.total(ROW) is None
    results.add(ROW, 0, 10, 50.0, Findings(acknowledged=20_000, longest_catch_up_s=3.25))
    results.add(ROW, 10, 10, 60.0, Findings(acknowledged=20_000, lost=1))
    results.add(ROW, 10, 5, 25.0, Findings(acknowledged=10_000, longest_catch_up_s=4.0))
    assert results.done(ROW) == 15
    total = results.total(ROW)
    assert total is not None
    assert (total.done, total.failed_count, total.lost) == (15, 1, 1)
    assert (total.longest_catch_up_s, total.seconds) == (4.0, 135.0)
    assert total.last_problem == "1 lost"


def test_another_commit_and_another_row_begin_at_nothing(tmp_path: Path) -> None:
    Results("c0ffee", tmp_path).add(ROW, 0, 10, 50.0, Findings())
    assert Results("decaf", tmp_path).done(ROW) == 0
    assert Results("c0ffee", tmp_path).done(ROWS["poison"]) == 0


def test_a_go_that_caught_up_too_late_is_not_right() -> None:
    assert Findings(longest_catch_up_s=31.0).all_problems == ("caught up after 31.0 s",)
