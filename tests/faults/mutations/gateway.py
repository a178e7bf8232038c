"""Faults of the gateway."""

from typing import Final

from tests.faults.mutations.mutation import Edit, Mutation

MUTATIONS: Final = (
    Mutation(
        "the gateway acknowledges before Kafka has",
        (
            Edit(
                "services/gateway/stream/group_commit.py",
                "        appended: Sequence[Appended] = ()\n        try:\n",
                "        appended: Sequence[Appended] = ()\n"
                "        self._answer(batch, range(len(batch)))\n"
                "        try:\n",
            ),
        ),
        "tests/unit/gateway/test_stream.py::"
        "test_without_kafkas_ack_a_message_is_not_durable_and_may_be_sent_again",
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
)
