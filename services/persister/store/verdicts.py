"""Writes verdicts."""

from collections.abc import Sequence
from operator import attrgetter

from parley.db.pool import Connection
from services.persister.core.judging import Judged, first_of_each, judge
from services.persister.core.verdicts import ReceivedVerdict, verdict_row
from services.persister.store.copying import SQL, copy_rows, run, stored_identities


class VerdictTables:
    """The table that parley.analyses.v1 fills."""

    async def write(
        self, connection: Connection, items: Sequence[ReceivedVerdict]
    ) -> Judged[ReceivedVerdict]:
        """Write what is new within the caller's transaction; conflicts are left to the caller."""
        await run(connection, "create_verdict_table", "empty_verdict_table")
        firsts = first_of_each(items)
        await copy_rows(connection, "incoming_verdicts", [verdict_row(one) for one in firsts])
        known = await connection.fetch(SQL["insert_verdicts"])
        identities = await stored_identities(connection, "verdict_identities", known)
        return judge(items, firsts, identities, attrgetter("identity"))
