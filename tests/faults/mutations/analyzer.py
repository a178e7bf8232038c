"""Faults of the analyzer and of backfills."""

from typing import Final

from tests.faults.mutations.mutation import Edit, Mutation

MUTATIONS: Final = (
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
    Mutation(
        "a job that was taken away is called for",
        (
            Edit(
                "services/analyzer/store/budgets.sql",
                "   WHERE job.state = 'claimed' AND job.lease_token = wanted.token\n",
                "   WHERE job.state = 'claimed'\n",
            ),
        ),
        "tests/integration/analyzer/test_prompts.py::"
        "test_a_job_that_was_taken_away_is_not_called_for",
    ),
    Mutation(
        "segments that no model answers are what finds out whether it does",
        (
            Edit(
                "services/analyzer/prompts/worker.py",
                "        if blamed:\n",
                "        if blamed and not fingerprints:\n",
            ),
        ),
        "tests/integration/analyzer/test_prompt_failures.py::"
        "test_segments_that_are_never_answered_do_not_keep_a_model_from_the_others",
    ),
    Mutation(
        "what does not fit into a day's budget is called for",
        (
            Edit(
                "services/analyzer/store/money.py",
                '                refused[place] = BudgetSpent("budget")\n',
                "                continue\n",
            ),
        ),
        "tests/integration/analyzer/test_budgets.py::"
        "test_what_does_not_fit_is_parked_and_never_called",
    ),
)
