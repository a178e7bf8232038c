"""The pass turn_statistics: who spoke how much, and how long the other waited.

Definitions (version 1):
- A turn is a longest run of consecutive messages of the user, or of the assistant. System and
  tool messages are counted, but are no talk: they neither make a turn nor end one.
- A word is what white space separates.
- Talk share is a role's words over the words of both; null where nobody said any.
- Response latency is the time from the last message of a user's turn to the first message of the
  assistant's turn after it; null where there is no such pair.
- The longest silence is the greatest time between two consecutive messages of talk; null where
  there are fewer than two.
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
from services.analyzer.passes.turns import TALKING_ROLES, Turn, turns_of

SECONDS_DECIMALS: Final = 3
SHARE_DECIMALS: Final = 4


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
        "longest_silence_seconds": _longest(_gaps(talk)),
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


def _longest(seconds: Sequence[float]) -> float | None:
    return round(max(seconds), SECONDS_DECIMALS) if seconds else None


def _duration(messages: Sequence[SpokenMember]) -> float:
    return round(_seconds(messages[0], messages[-1]), SECONDS_DECIMALS) if messages else 0.0


def _seconds(before: SpokenMember, after: SpokenMember) -> float:
    return (after.event_time - before.event_time).total_seconds()


TURN_STATISTICS: Final = CodePass(
    PassDefinition(
        name="turn_statistics",
        version=1,
        category="statistics",
        description="Turns, words and talk share of each side, response latency and silences.",
        kind=PassKind.CODE,
        output_schema={"type": "object"},
        parameters={"seconds_decimals": SECONDS_DECIMALS, "share_decimals": SHARE_DECIMALS},
    ),
    run,
)
