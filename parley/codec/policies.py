"""Gap policies in the envelope of an event and in the config topic, and back."""

from functools import lru_cache
from typing import Final

from google.protobuf.message import DecodeError

from parley.codec.record import InvalidRecord
from parley.codec.times import set_duration, to_timedelta
from parley.codec.validity import check_ids, check_policy
from parley.events import Policy
from parley.wire import events_pb2, policy_pb2


def policy_of(wire: events_pb2.Event) -> tuple[Policy, str | None]:
    """The event's policy, and why it could not be followed: of no concern to some bodies."""
    if not wire.HasField("policy"):
        return _NO_POLICY
    return _read(wire.policy.SerializeToString())


_NO_POLICY: Final = (Policy(), None)


# There are few policies and many events: each is decoded and checked once.
@lru_cache(maxsize=1_024)
def _read(value: bytes) -> tuple[Policy, str | None]:
    policy = read_policy(policy_pb2.Policy.FromString(value))
    try:
        check_policy(policy)
    except InvalidRecord as error:
        return policy, error.detail
    return policy, None


def valid_policy(value: bytes) -> Policy | None:
    """The policy, by its bytes; None for one that makes its event invalid."""
    try:
        policy, fault = _read(value)
        check_ids(policy.policy_id)
    except (DecodeError, InvalidRecord):
        return None
    return policy if fault is None else None


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
