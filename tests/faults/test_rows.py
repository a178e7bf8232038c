"""The short form of every row of the fault table; `make faults` plays them at length."""

from collections.abc import Iterator

import pytest

from tests.faults.row import CannotPlay, Row
from tests.faults.rows import ROWS
from tests.faults.stage import Stage, stage

pytestmark = [pytest.mark.faults, pytest.mark.integration]


@pytest.fixture(scope="module")
def own_stage() -> Iterator[Stage]:
    """Servers that these tests may break."""
    with stage() as made:
        yield made


@pytest.mark.parametrize(
    "row", [row for row in ROWS.values() if row.short], ids=lambda one: one.name
)
async def test_a_row_of_the_fault_table_holds(own_stage: Stage, row: Row) -> None:
    try:
        found = await row.run(own_stage, 0, row.short)
    except CannotPlay as error:
        pytest.skip(str(error))
    assert found.all_problems == ()
