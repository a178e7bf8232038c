"""Faults of the log's consumer and its fence."""

from typing import Final

from tests.faults.mutations.mutation import Edit, Mutation

MUTATIONS: Final = (
    Mutation(
        "the fence moves without a compare-and-set",
        (
            Edit(
                "parley/db/queries.sql",
                "AND owner_epoch = $5 AND next_offset = $6",
                "AND $5::bigint IS NOT NULL AND $6::bigint IS NOT NULL",
            ),
        ),
        "tests/integration/log/test_fence.py::test_a_worker_paused_at_its_transaction_is_fenced_out",
    ),
    Mutation(
        "Kafka owns the offset, and is told before the database commits",
        (
            Edit(
                "parley/log/consumer/fenced.py",
                "            moved = await self._apply(claim, part, work)\n",
                "            await self._kafka.commit({tp: batch.last_offset + 1})\n"
                "            moved = await self._apply(claim, part, work)\n",
            ),
            Edit(
                "parley/log/consumer/claims.py",
                "        await self._handler.claimed(fenced)\n",
                "        offset = await self._kafka.committed(tp) or 0\n"
                "        fenced = Fence(\n"
                "            fenced.key, fenced.incarnation, fenced.owner_epoch, offset, None\n"
                "        )\n"
                "        await self._handler.claimed(fenced)\n",
            ),
            Edit(
                "parley/db/queries.sql",
                "AND owner_epoch = $5 AND next_offset = $6",
                "AND owner_epoch = $5 AND $6::bigint IS NOT NULL",
            ),
        ),
        "tests/faults/test_rows.py::test_a_row_of_the_fault_table_holds[persister-failpoints]",
    ),
    Mutation(
        "nobody seeks to the fence",
        (
            Edit(
                "parley/log/consumer/claims.py",
                "        self._ahead.seek(tp, claim.wanted_offset)\n",
                "",
            ),
            Edit(
                "parley/log/consumer/fenced.py",
                "            self._ahead.seek(tp, wanted)\n",
                "",
            ),
        ),
        "tests/integration/log/test_fence.py::test_kill_9_under_load_counts_every_record_once",
    ),
    Mutation(
        "a former owner's contradiction ends its process",
        (
            Edit(
                "parley/log/consumer/fenced.py",
                "                await self._has_committed(batch)\n",
                "                await asyncio.sleep(0)\n",
            ),
        ),
        "tests/unit/log/test_simulated_fence.py::"
        "test_a_seed_ends_with_every_record_applied_once_in_order",
    ),
    Mutation(
        "a part of no records counts as written after a lost reply",
        (
            Edit(
                "parley/log/consumer/fenced.py",
                "                if not batch.records:\n                    raise\n",
                "",
            ),
        ),
        "tests/unit/log/test_simulated_fence.py::"
        "test_a_seed_ends_with_every_record_applied_once_in_order",
    ),
)
