"""Messages, segments and jobs for tests of the analyzer, and strategies that make any of them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from parley.analyses import JobTrigger
from parley.digests import Member, SpokenMember, member_digest
from parley.events import Content, Role
from parley.ids import derived_id
from parley.passes.code import CodePass, Output, SegmentText
from parley.passes.definition import PassDefinition, PassKind
from services.analyzer.core.jobs import Attempt, Job, Segment

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEGMENT_ID = derived_id("segment")


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def spoken(seconds: float, role: Role, text: str, version: str = "") -> SpokenMember:
    """A message said `seconds` after noon."""
    return SpokenMember(at(seconds), derived_id(str(seconds), text), role, Content(text), version)


def user(seconds: float, text: str) -> SpokenMember:
    return spoken(seconds, Role.USER, text)


def assistant(seconds: float, text: str) -> SpokenMember:
    return spoken(seconds, Role.ASSISTANT, text)


def text(*messages: SpokenMember) -> SegmentText:
    return SegmentText(SEGMENT_ID, messages)


def segment(members: Sequence[SpokenMember] = (), **fields: Any) -> Segment:
    """A segment whose seal fits the members."""
    digest = member_digest(Member(one.event_id, one.content_version) for one in members)
    whole: dict[str, Any] = {
        "tenant_id": "acme",
        "conversation_id": "c",
        "segment_id": SEGMENT_ID,
        "revision": 1,
        "started_at": NOON,
        "ended_at": at(60),
        "first_event_id": derived_id("first"),
        "last_event_id": derived_id("last"),
        "message_count": len(members),
        "member_digest": digest,
        "incarnation": "abc",
        "events_partition": 2,
        "decided_offset": 41,
        "source_partition": 3,
        "sealed_at": at(100),
    }
    return Segment(**{**whole, **fields})


def attempt(
    of: Segment, name: str, attempt_count: int = 1, failure_count: int = 0, fingerprint: str = "f"
) -> Attempt:
    job = Job(of, name, 1, fingerprint, JobTrigger.SEAL)
    return Attempt(job, attempt_count, failure_count, at(200))


def attempt_at(one: CodePass, of: Segment) -> Attempt:
    """The first attempt at a job of that pass."""
    return attempt(of, one.definition.name, fingerprint=one.definition.fingerprint)


SAYINGS = [
    "",
    "great!!!",
    "this is BAD :(",
    "no but 😀😀",
    "The parcel with my new keyboard has not been delivered to my house.",
    "Die Lieferung meiner neuen Tastatur ist leider noch nicht angekommen.",
    "你好，我的订单还没有到，请帮我查一下。",
    "שלום, ההזמנה שלי עדיין לא הגיעה",
    "write to ada@example.org or call +44 20 7946 0958",
]
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
MESSAGES = st.lists(
    st.builds(
        spoken,
        st.floats(0, 86_400, allow_nan=False),
        st.sampled_from(Role),
        st.one_of(TEXTS, st.sampled_from(SAYINGS)),
    ),
    max_size=12,
).map(lambda messages: sorted(messages, key=lambda one: (one.event_time, one.event_id)))


def code_pass(name: str, run: Callable[[SegmentText], Output], attempts: int = 3) -> CodePass:
    """A pass of a test's own."""
    definition = PassDefinition(
        name=name,
        version=1,
        kind=PassKind.CODE,
        category="test",
        description="a test's own",
        output_schema={"type": "object"},
        attempts=attempts,
    )
    return CodePass(definition, run)
