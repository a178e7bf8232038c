"""Every row of the fault table."""

from typing import Final

from tests.faults.row import Row
from tests.faults.rows import (
    analyzers,
    any_order,
    backfills,
    deadlocks,
    disk_full,
    failpoints,
    kills,
    mutations,
    network,
    open_windows,
    pauses,
    poison,
    postgres_stops,
    rebalances,
    sealers,
    sealing_properties,
    sealing_replays,
    simulation,
    suites,
)

ROWS: Final[dict[str, Row]] = {
    row.name: row
    for row in (
        kills.ROW,
        postgres_stops.ROW,
        pauses.ROW,
        rebalances.ROW,
        failpoints.ROW,
        disk_full.ROW,
        *network.ROWS,
        poison.ROW,
        deadlocks.ROW,
        any_order.ROW,
        simulation.ROW,
        *sealers.ROWS,
        open_windows.ROW,
        *backfills.ROWS,
        sealing_replays.ROW,
        sealing_properties.ROW,
        analyzers.ROW,
        mutations.ROW,
        *suites.ROWS,
    )
}
