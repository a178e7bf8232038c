"""Who works on what, as `parley status -v` shows it."""

import io
from datetime import UTC, datetime

from rich.console import Console

from parley.cli.facts import PartitionFacts
from parley.cli.output import table_of
from parley.cli.status import COLUMNS, for_people
from parley.cli.workers import ranges, sealer_rows, workers

ONE, OTHER = "11111111-aaaa-4000-8000-000000000000", "22222222-bbbb-4000-8000-000000000000"
TOPIC = "parley.events.v1"


def fence(partition: int, owner: str, read: int = 8, consumer: str = "sealer") -> PartitionFacts:
    return PartitionFacts(
        consumer, TOPIC, partition, read, 10, bool(owner), owner=owner, seconds_since_move=3.0
    )


def test_numbers_in_a_row_are_written_as_one_range() -> None:
    assert ranges([5, 0, 1, 2, 3, 8, 9]) == "0-3, 5, 8-9"
    assert (ranges([4]), ranges([])) == ("4", "")


def test_a_worker_is_shown_with_its_partitions_and_what_nobody_claimed_without() -> None:
    found = workers([fence(0, ONE), fence(1, ONE, 10), fence(2, OTHER), fence(3, "", 0)])
    shown = {one["worker"]: (one["partitions"], one["lag"]) for one in found}
    assert shown == {"11111111": ("0-1", 2), "22222222": ("2", 2), "nobody": ("3", 10)}
    assert [one["worker_id"] for one in found] == [None, ONE, OTHER]


def test_the_sealers_partitions_have_its_lag_and_not_anothers() -> None:
    marks = [{"partition": 1, "open": 7}]
    facts = [fence(1, ONE, 10, "persister"), fence(1, OTHER, 4)]
    [row] = sealer_rows(marks, facts, TOPIC)
    assert (row["open"], row["lag"], row["worker"]) == (7, 6, "22222222")


def test_the_sealers_partitions_fit_eighty_columns() -> None:
    mark = {
        "partition": 11,
        "watermark": datetime(2026, 1, 31, 12, tzinfo=UTC),
        "seconds_behind": 7_300.0,
        "open": 123_456,
        "due": 12,
        "held": 1,
    }
    [row] = sealer_rows([mark], [fence(11, ONE, 4)], TOPIC)
    file = io.StringIO()
    table = table_of([for_people(row)], COLUMNS["sealer_partitions"])
    Console(file=file, width=80).print(table)
    [line] = [one for one in file.getvalue().splitlines() if "12:00:00" in one]
    assert "2h 01m" in line
    assert "11111111" in line
