"""Faults put into the code on purpose, each with the test that must notice it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: `before` is in the file exactly once."""

    file: str
    before: str
    after: str

    def apply(self, root: Path) -> None:
        """Change the file below this folder; raises StaleMutation."""
        path = root / self.file
        text = path.read_text()
        if text.count(self.before) != 1:
            raise StaleMutation(f"{self.file} holds {text.count(self.before)} times {self.before}")
        path.write_text(text.replace(self.before, self.after))


@dataclass(frozen=True, slots=True)
class Mutation:
    """A fault put into the code, and the test that must notice it."""

    name: str
    edits: tuple[Edit, ...]
    test: str


class StaleMutation(Exception):
    """The code is another than the mutation was written for: write it anew."""


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
                "            moved = await self._apply(claim, batch, work)\n",
                "            await self._kafka.commit({tp: batch.last_offset + 1})\n"
                "            moved = await self._apply(claim, batch, work)\n",
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
                "        self._kafka.seek(tp, claim.wanted_offset)\n",
                "",
            ),
            Edit(
                "parley/log/consumer/fenced.py",
                "            self._kafka.seek(tp, wanted)\n",
                "",
            ),
        ),
        "tests/integration/log/test_fence.py::test_kill_9_under_load_counts_every_record_once",
    ),
    Mutation(
        "the gateway acknowledges before Kafka has",
        (
            Edit(
                "services/gateway/stream/group_commit.py",
                "        offsets: Sequence[int] = ()\n        try:\n",
                "        offsets: Sequence[int] = ()\n"
                "        self._answer(batch, range(len(batch)))\n"
                "        try:\n",
            ),
        ),
        "tests/unit/gateway/test_stream.py::"
        "test_without_kafkas_ack_a_message_is_not_durable_and_may_be_sent_again",
    ),
    Mutation(
        "the sealer's time is the wall clock",
        (
            Edit(
                "services/sealer/core/partition.py",
                "        state.watermark = max(state.watermark, append_time)\n",
                "        state.watermark = datetime.now(append_time.tzinfo)\n",
            ),
        ),
        "tests/integration/sealer/test_store.py::"
        "test_batches_over_the_tables_give_the_same_seals_as_one_run_in_memory",
    ),
    Mutation(
        "a tick is lost",
        (
            Edit(
                "services/sealer/stream.py",
                "            await self._producer.send("
                "Outgoing(self._events, None, value, EVENT_HEADERS, partition))\n",
                "            await asyncio.sleep(0)\n",
            ),
        ),
        "tests/integration/sealer/test_process.py::"
        "test_a_quiet_conversation_is_sealed_by_a_tick_within_ten_seconds_of_its_deadline",
    ),
    Mutation(
        "a message exactly one gap later does not join",
        (
            Edit(
                "services/sealer/core/joining.py",
                "    if event.event_time > window.reach:\n",
                "    if event.event_time >= window.reach:\n",
            ),
        ),
        "tests/unit/sealer/test_known_cases.py::"
        "test_a_case_of_another_project_is_sealed_by_our_rule",
    ),
    Mutation(
        "the watermark steps back with the broker's clock",
        (
            Edit(
                "services/sealer/core/partition.py",
                "        state.watermark = max(state.watermark, append_time)\n",
                "        state.watermark = append_time\n",
            ),
        ),
        "tests/unit/sealer/test_core.py::"
        "test_an_append_time_that_steps_back_moves_no_time_and_closes_nothing_twice",
    ),
    Mutation(
        "what is due closes after the record that shows it",
        (
            Edit(
                "services/sealer/core/partition.py",
                "        if state.queue.may_be_due(state.watermark):\n"
                "            self._close_due()\n"
                "        state.offset = offset\n"
                "        if event is not None:\n"
                "            self._apply(event)\n",
                "        state.offset = offset\n"
                "        if event is not None:\n"
                "            self._apply(event)\n"
                "        if state.queue.may_be_due(state.watermark):\n"
                "            self._close_due()\n",
            ),
        ),
        "tests/unit/sealer/test_core.py::test_a_message_at_the_very_deadline_comes_after_the_close",
    ),
    Mutation(
        "a late message reopens nothing",
        (
            Edit(
                "services/sealer/core/joining.py",
                "        window.loaded()\n        state.reopen(window)\n",
                "        window.loaded()\n",
            ),
        ),
        "tests/unit/sealer/test_known_cases.py::"
        "test_a_case_of_another_project_is_sealed_by_our_rule",
    ),
    Mutation(
        "a repeated message keeps its segment open",
        (
            Edit(
                "services/sealer/core/partition.py",
                "        if kind in _REMEMBERED and event.event_id in conversation.where:\n",
                "        if kind in _REMEMBERED and event.event_id in conversation.where:\n"
                "            known = conversation.window_of(event.event_id)\n"
                "            if known is not None and known.is_open:\n"
                "                known.last_arrival = state.watermark\n"
                "                state.changed(known)\n",
            ),
        ),
        "tests/unit/sealer/test_core.py::test_a_late_message_that_is_repeated_is_waited_for_once",
    ),
    Mutation(
        "a cut parts nothing",
        (
            Edit(
                "services/sealer/core/conversation.py",
                "        return cut is not None and cut < right\n",
                "        return False\n",
            ),
        ),
        "tests/unit/sealer/test_cuts.py::test_a_late_message_before_a_cut_joins_its_own_side",
    ),
    Mutation(
        "a channel's policy outranks its tenant's",
        (
            Edit(
                "parley/policies.py",
                'Scope(tenant_id, ""), Scope("", channel), EVERYBODY',
                'Scope("", channel), Scope(tenant_id, ""), EVERYBODY',
            ),
        ),
        "tests/unit/test_policies.py::"
        "test_the_narrowest_that_was_set_counts_and_settings_come_last",
    ),
    Mutation(
        "the next version of a policy has the last one's number",
        (
            Edit(
                "parley/policies.py",
                "self._versions.get(scope, {})]) + 1",
                "self._versions.get(scope, {})])",
            ),
        ),
        "tests/unit/test_policies.py::test_versions_only_grow_and_never_take_a_settings_number",
    ),
    Mutation(
        "an open connection keeps its policy",
        (
            Edit(
                "services/gateway/stream/messages.py",
                "if self._template is None or policy is not self._policy:",
                "if self._template is None:",
            ),
        ),
        "tests/unit/gateway/test_stream.py::"
        "test_a_policy_that_is_set_counts_for_the_next_message_of_an_open_connection",
    ),
    Mutation(
        "a preview replays under the policies of before",
        (
            Edit(
                "services/sealer/preview/folding.py",
                "return event if policy is None else replace(event, policy=policy)",
                "return event",
            ),
        ),
        "tests/unit/sealer/test_preview.py::test_another_policy_parts_history_otherwise",
    ),
    Mutation(
        "a bridge takes nothing back",
        (
            Edit(
                "services/sealer/core/joining.py",
                "        base.retracts[absorbed.segment_id] = absorbed.revision\n",
                "",
            ),
        ),
        "tests/unit/sealer/test_known_cases.py::"
        "test_a_case_of_another_project_is_sealed_by_our_rule",
    ),
    Mutation(
        "an id that is still to be retracted is given anew",
        (
            Edit(
                "services/sealer/core/joining.py",
                "    while conversation.is_in_use(segment_id):\n",
                "    while segment_id in conversation.by_id:\n",
            ),
        ),
        "tests/unit/sealer/test_revisions.py::"
        "test_an_id_that_is_still_to_be_retracted_is_not_given_anew",
    ),
    Mutation(
        "a segment's digest goes by the order in memory",
        (
            Edit(
                "parley/digests.py",
                'sorted(f"{member.event_id}:{member.content_version}\\n" for member in members)',
                '[f"{member.event_id}:{member.content_version}\\n" for member in members]',
            ),
        ),
        "tests/unit/sealer/test_properties.py::test_batches_restores_and_forgetting_do_not_show",
    ),
    Mutation(
        "a conversation that is due sleeps on after a restart",
        (
            Edit(
                "services/sealer/core/partition.py",
                "max(until, self._state.watermark))",
                "self._state.watermark)",
            ),
        ),
        "tests/unit/sealer/test_properties.py::test_batches_restores_and_forgetting_do_not_show",
    ),
    Mutation(
        "a seal is published before its batch is committed",
        (
            Edit(
                "services/sealer/stream.py",
                "        return Fold(batch, decisions, sealer.changes(), sealer.take_reached())\n",
                "        for one in decisions:\n"
                "            await self._producer.send(self._outgoing(one))\n"
                "        return Fold(batch, decisions, sealer.changes(), sealer.take_reached())\n",
            ),
        ),
        "tests/unit/sealer/test_stream.py::"
        "test_a_seal_is_written_in_the_batchs_transaction_and_published_by_nobody_before",
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
        "a backfill's progress moves without a compare-and-set",
        (
            Edit(
                "services/analyzer/backfilling/queries.sql",
                "       leased_until = now() + $9::interval\n"
                " WHERE run_id = $1 AND partition = $2 AND owner = $3 AND next_offset = $4",
                "       leased_until = now() + $9::interval\n"
                " WHERE run_id = $1 AND partition = $2"
                " AND ($3::uuid IS NOT NULL OR next_offset = $4)",
            ),
        ),
        "tests/integration/backfilling/test_slices.py::test_a_former_holders_slice_has_no_effect",
    ),
    Mutation(
        "a backfill takes revisions that are not current",
        (
            Edit(
                "parley/backfilling/core.py",
                "    if known.is_retracted or known.revision != pair.sealed.revision:\n",
                "    if known.is_retracted:\n",
            ),
        ),
        "tests/unit/backfilling/test_core.py::"
        "test_a_revision_that_is_not_the_greatest_is_nobodys_gap",
    ),
    Mutation(
        "a backfill does not wait for the persister",
        (
            Edit(
                "services/analyzer/backfilling/slices.py",
                "            if stored.get(partition, 0) < read[partition]:\n",
                "            if stored.get(partition, 0) < 0:\n",
            ),
        ),
        "tests/integration/backfilling/test_slices.py::"
        "test_nothing_is_decided_before_it_is_known_what_is_current",
    ),
    Mutation(
        "answers are remembered without their tenant",
        (
            Edit(
                "services/analyzer/core/memo.py",
                "for part in (tenant_id.encode(), content_digest,",
                "for part in (content_digest,",
            ),
        ),
        "tests/unit/analyzer/core/test_memo.py::test_tenant_content_and_fingerprint_make_the_key",
    ),
    Mutation(
        "a call is made before it is reserved for",
        (
            Edit(
                "services/analyzer/prompts/asking.py",
                "            await purse.reserve(estimated_micro_usd, used)\n",
                "            await asyncio.sleep(0)\n",
            ),
        ),
        "tests/integration/analyzer/test_prompts.py::"
        "test_an_attempt_and_its_reservation_are_committed_before_the_call",
    ),
    Mutation(
        "a verdict is written without the claim's token",
        (
            Edit(
                "services/analyzer/store/queries.sql",
                "   WHERE job.state = 'claimed' AND job.lease_token = outcome.token\n",
                "   WHERE job.state <> 'verdict'\n",
            ),
        ),
        "tests/integration/analyzer/test_outcomes.py::test_a_verdict_without_the_token_is_refused",
    ),
    Mutation(
        "a backfill is claimed before live jobs",
        (
            Edit(
                "services/analyzer/store/queries.sql",
                "   ORDER BY job.lane, job.priority DESC, job.due_at, job.segment_id\n",
                "   ORDER BY job.priority DESC, job.due_at, job.segment_id\n",
            ),
        ),
        "tests/integration/analyzer/test_order.py::"
        "test_a_live_job_goes_before_a_backfill_that_is_older_and_more_urgent",
    ),
    Mutation(
        "an end of before a redrive ends the job again",
        (
            Edit(
                "services/analyzer/core/history.py",
                "        if other.generation < self.generation:\n",
                "        if other.generation < 0:\n",
            ),
        ),
        "tests/unit/analyzer/core/test_history.py::"
        "test_a_job_that_was_reopened_is_open_though_its_end_is_read_again",
    ),
)
