"""Faults of the sealer, of gap policies and of segments' digests."""

from typing import Final

from tests.faults.mutations.mutation import Edit, Mutation

MUTATIONS: Final = (
    Mutation(
        "the sealer's time is the wall clock",
        (
            Edit(
                "services/sealer/core/partition.py",
                "            state.watermark = max(state.watermark, append_time)\n",
                "            state.watermark = datetime.now(append_time.tzinfo)\n",
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
                "    if said.event_time > window.reach:\n",
                "    if said.event_time >= window.reach:\n",
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
                "            state.watermark = max(state.watermark, append_time)\n",
                "            state.watermark = append_time\n",
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
                "            if state.queue.may_be_due(state.watermark):\n"
                "                yield from self._close_due(at_once)\n"
                "            state.offset = offset\n"
                "            if fact is not None:\n"
                "                self._apply(fact)\n",
                "            state.offset = offset\n"
                "            if fact is not None:\n"
                "                self._apply(fact)\n"
                "            if state.queue.may_be_due(state.watermark):\n"
                "                yield from self._close_due(at_once)\n",
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
                "services/sealer/core/talking.py",
                "    if said.event_id in conversation.where:\n",
                "    if said.event_id in conversation.where:\n"
                "        known = conversation.window_of(said.event_id)\n"
                "        if known is not None and known.is_open:\n"
                "            known.last_arrival = state.watermark\n"
                "            state.changed(known)\n",
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
                "lines = sorted([",
                "lines = ([",
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
                "        count = sealer.applied_offset + 1 - offsets[0]\n",
                "        for one in outgoing:\n"
                "            await self._producer.send(one)\n"
                "        count = sealer.applied_offset + 1 - offsets[0]\n",
            ),
        ),
        "tests/unit/sealer/test_stream.py::"
        "test_a_seal_is_written_in_the_batchs_transaction_and_published_by_nobody_before",
    ),
    Mutation(
        "what one record closes is written in one transaction, however much it is",
        (
            Edit(
                "services/sealer/stream.py",
                "            if len(decisions) >= DECIDED_IN_A_PART:\n                break\n",
                "",
            ),
        ),
        "tests/unit/sealer/test_stream.py::"
        "test_what_one_record_closes_beyond_measure_is_written_in_parts",
    ),
    Mutation(
        "a refused revision that waits for its message counts",
        (
            Edit(
                "services/sealer/core/partition.py",
                "                _drop_early(self._state, conversation, body)\n",
                "                continue\n",
            ),
        ),
        "tests/unit/sealer/test_revisions.py::"
        "test_a_refused_revision_that_waits_for_its_message_is_dropped",
    ),
    Mutation(
        "the end of a session that has settled ends nothing",
        (
            Edit(
                "services/sealer/core/sessions.py",
                "        was_open = self.is_open or self.has_settled\n",
                "        was_open = self.is_open\n",
            ),
        ),
        "tests/unit/sealer/test_cuts.py::"
        "test_an_explicit_end_after_settling_ends_what_was_said_since",
    ),
    Mutation(
        "a conversation that fell asleep is never due",
        (
            Edit(
                "services/sealer/core/asleep.py",
                "        heapq.heappush(self._due, (due, key))\n",
                "",
            ),
        ),
        "tests/unit/sealer/test_properties.py::test_batches_restores_and_forgetting_do_not_show",
    ),
)
