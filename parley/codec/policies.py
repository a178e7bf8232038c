"""Gap policies in the envelope of an event and in the config topic, and back."""

from parley.codec.times import set_duration, to_timedelta
from parley.events import Policy
from parley.wire import policy_pb2


def read_policy(wire: policy_pb2.Policy) -> Policy:
    """The policy as it was written, whether or not it can be followed; raises InvalidRecord."""
    return Policy(
        policy_id=wire.policy_id,
        version=wire.version,
        idle_gap=to_timedelta(wire.idle_gap),
        grace=to_timedelta(wire.grace),
        seal_on_end=wire.seal_on_end,
        max_duration=to_timedelta(wire.max_duration),
        max_messages=wire.max_messages,
    )


def write_policy(wire: policy_pb2.Policy, policy: Policy) -> None:
    """Write the policy into a field of a message."""
    wire.policy_id = policy.policy_id
    wire.version = policy.version
    set_duration(wire.idle_gap, policy.idle_gap)
    set_duration(wire.grace, policy.grace)
    wire.seal_on_end = policy.seal_on_end
    set_duration(wire.max_duration, policy.max_duration)
    wire.max_messages = policy.max_messages
