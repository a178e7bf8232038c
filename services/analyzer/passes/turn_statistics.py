"""The pass turn_statistics: who spoke how much, and how long the other waited.

Definitions (version 1):
- A turn is a longest run of consecutive messages of the user, or of the assistant. System and
  tool messages are counted, but are no talk: they neither make a turn nor end one.
- A word is what white space separates.
- Talk share is a role's words over the words of both; null where nobody said any.
- Response latency is the time from the last message of a user's turn to the first message of the
  assistant's turn after it; null where there is no such pair.
- An interruption is a message of which only a part was spoken before the other side cut in: in the
  segment stands what was really spoken, a revision of the kind `interrupted`, as voice clients
  report it. A role's `interrupted_count` is of its own messages, which the other broke off.
- A silence is a time of 30 seconds or more between two consecutive messages of talk. The longest
  is the greatest such time, however short; null where there are fewer than two messages.
- Duration is the time from the first to the last message of any role.

Times are event times, in seconds, rounded to milliseconds; shares to 4 decimals.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import Final

from parley.digests import SpokenMember
from parley.events import Role
from parley.passes.code import CodePass, Output, SegmentText
from parley.passes.definition import PassDefinition, PassKind
from services.analyzer.passes.shapes import COUNT, SECONDS, SHARE, fields, nullable
from services.analyzer.passes.turns import TALKING_ROLES, Turn, turns_of

SECONDS_DECIMALS: Final = 3
SHARE_DECIMALS: Final = 4
SILENCE_SECONDS: Final = 30

_ROLE: Final = fields(
    turn_count=COUNT,
    message_count=COUNT,
    word_count=COUNT,
    talk_share=nullable(SHARE),
    interrupted_count=COUNT,
)
SCHEMA: Final = fields(
    message_count=COUNT,
    other_message_count=COUNT,
    turn_count=COUNT,
    roles=fields(user=_ROLE, assistant=_ROLE),
    response_latency_seconds=fields(
        count=COUNT, median=nullable(SECONDS), mean=nullable(SECONDS), max=nullable(SECONDS)
    ),
    interruption_count=COUNT,
    silences=fields(count=COUNT, total_seconds=SECONDS, longest_seconds=nullable(SECONDS)),
    duration_seconds=SECONDS,
)


def run(segment: SegmentText) -> Output:
    """The statistics of a segment; zeros and nulls where there is nothing to count."""
    turns = turns_of(segment.messages)
    talk = [message for turn in turns for message in turn.messages]
    return {
        "message_count": len(segment.messages),
        "other_message_count": len(segment.messages) - len(talk),
        "turn_count": len(turns),
        "roles": {role.value: _role(role, turns) for role in TALKING_ROLES},
        "response_latency_seconds": _summary(_response_latencies(turns)),
        "interruption_count": sum(message.is_interrupted for message in talk),
        "silences": _silences(_gaps(talk)),
        "duration_seconds": _duration(segment.messages),
    }


def _role(role: Role, turns: Sequence[Turn]) -> Output:
    own = [turn for turn in turns if turn.role is role]
    words, all_words = _word_count(own), _word_count(turns)
    return {
        "turn_count": len(own),
        "message_count": sum(len(turn.messages) for turn in own),
        "word_count": words,
        "talk_share": round(words / all_words, SHARE_DECIMALS) if all_words else None,
        "interrupted_count": sum(
            message.is_interrupted for turn in own for message in turn.messages
        ),
    }


def _word_count(turns: Sequence[Turn]) -> int:
    return sum(len(message.content.text.split()) for turn in turns for message in turn.messages)


def _response_latencies(turns: Sequence[Turn]) -> list[float]:
    return [
        _seconds(before.messages[-1], after.messages[0])
        for before, after in pairwise(turns)
        if before.role is Role.USER
    ]


def _gaps(talk: Sequence[SpokenMember]) -> list[float]:
    return [_seconds(before, after) for before, after in pairwise(talk)]


def _summary(seconds: Sequence[float]) -> Output:
    if not seconds:
        return {"count": 0, "median": None, "mean": None, "max": None}
    return {
        "count": len(seconds),
        "median": round(median(seconds), SECONDS_DECIMALS),
        "mean": round(fmean(seconds), SECONDS_DECIMALS),
        "max": round(max(seconds), SECONDS_DECIMALS),
    }


def _silences(gaps: Sequence[float]) -> Output:
    silences = [gap for gap in gaps if gap >= SILENCE_SECONDS]
    return {
        "count": len(silences),
        "total_seconds": round(sum(silences), SECONDS_DECIMALS) + 0.0,
        "longest_seconds": round(max(gaps), SECONDS_DECIMALS) if gaps else None,
    }


def _duration(messages: Sequence[SpokenMember]) -> float:
    return round(_seconds(messages[0], messages[-1]), SECONDS_DECIMALS) if messages else 0.0


def _seconds(before: SpokenMember, after: SpokenMember) -> float:
    return (after.event_time - before.event_time).total_seconds()


TURN_STATISTICS: Final = CodePass(
    PassDefinition(
        name="turn_statistics",
        version=1,
        category="statistics",
        description="Turns, words and talk share of each side, response latency, interruptions and "
        "silences.",
        kind=PassKind.CODE,
        output_schema=SCHEMA,
        parameters={
            "seconds_decimals": SECONDS_DECIMALS,
            "share_decimals": SHARE_DECIMALS,
            "silence_seconds": SILENCE_SECONDS,
        },
    ),
    run,
)
