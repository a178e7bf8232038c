"""Tests of sorting more than memory holds."""

from hypothesis import given
from hypothesis import strategies as st

from parley.importing.sorting import MAX_RUNS, ExternalSorter, Record

records = st.lists(st.tuples(st.text(), st.integers(-(2**60), 2**60)), max_size=200)


def drained(rows: list[Record], run_records: int) -> list[Record]:
    sorter = ExternalSorter(run_records)
    for row in rows:
        sorter.add(row, 10)
    return list(sorter.drain())


@given(records, st.integers(1, 20))
def test_records_come_out_sorted_whatever_fits_into_memory(
    pairs: list[tuple[str, int]], run_records: int
) -> None:
    rows: list[Record] = [[text, n, number] for number, (text, n) in enumerate(pairs)]
    assert drained(rows, run_records) == sorted(rows)


def test_more_runs_than_may_be_open_are_merged() -> None:
    rows: list[Record] = [[(7919 * n) % 10_007] for n in range(3 * MAX_RUNS)]
    assert drained(rows, 1) == sorted(rows)


def test_a_sorter_is_empty_after_it_was_drained() -> None:
    sorter = ExternalSorter(2)
    for n in range(5):
        sorter.add([n], 1)
    list(sorter.drain())
    assert list(sorter.drain()) == []


def test_text_sorts_by_code_point_as_bytes_of_utf8_do() -> None:
    rows: list[Record] = [["z"], ["é"], ["😀"], ["\uffff"]]
    assert drained(rows, 1) == sorted(rows, key=lambda one: one[0].encode())
