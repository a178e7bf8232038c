"""The pass sentiment: how the user felt, turn by turn, by the VADER lexicon (English).

Definitions (version 1):
- Only what the user said is scored: the assistant's words do not tell how the user feels.
- A turn's score is the mean of VADER's compound score (-1 to 1) over its pieces. A piece is a
  message, or 500 characters of a longer one: VADER is made for sentences, and its time grows with
  the square of a text's length. Only the first 10,000 characters of a message count, and the first
  100,000 of the user's in all: a turn after them has no score. `cut_message_count` says how many
  messages were shortened by that or left out.
- `mean` is the mean over the turns that have a score; null without one. So are all that follow.
- A turn is positive from 0.05 up and negative from -0.05 down, as VADER's authors suggest;
  the shares are of the turns.
- The trend is the mean of the second half of the turns less that of the first half; the middle
  one of an odd number belongs to neither. Null with fewer than two turns.

Scores and shares are rounded to 4 decimals.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.metadata import version
from itertools import islice
from statistics import fmean
from typing import Any, Final

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from parley.events import Role
from parley.passes.code import CodePass, Output, SegmentText
from parley.passes.definition import PassDefinition, PassKind
from services.analyzer.passes.reading import read
from services.analyzer.passes.shapes import COUNT, SHARE, Schema, fields, items, nullable
from services.analyzer.passes.turns import Turn, turns_of

DECIMALS: Final = 4
POSITIVE_FROM: Final = 0.05
NEGATIVE_TO: Final = -0.05
PIECE_CHARACTERS: Final = 500
MESSAGE_CHARACTERS: Final = 10_000
USER_CHARACTERS: Final = 100_000

_SCORE: Final[Schema] = {"type": "number", "minimum": -1, "maximum": 1}
SCHEMA: Final = fields(
    user_turn_count=COUNT,
    turn_scores=items(_SCORE),
    mean=nullable(_SCORE),
    positive_share=nullable(SHARE),
    neutral_share=nullable(SHARE),
    negative_share=nullable(SHARE),
    trend=nullable({"type": "number", "minimum": -2, "maximum": 2}),
    cut_message_count=COUNT,
)


def run(segment: SegmentText) -> Output:
    """The sentiment of a segment; nulls where the user said nothing."""
    turns = [turn for turn in turns_of(segment.messages) if turn.role is Role.USER]
    reading = read(_texts(turns), MESSAGE_CHARACTERS, USER_CHARACTERS)
    scores = list(_turn_scores(turns, iter(reading.parts)))
    return {
        "user_turn_count": len(turns),
        "turn_scores": [_round(score) for score in scores],
        "mean": _round(fmean(scores)) if scores else None,
        "positive_share": _share(scores, lambda score: score >= POSITIVE_FROM),
        "neutral_share": _share(scores, lambda score: NEGATIVE_TO < score < POSITIVE_FROM),
        "negative_share": _share(scores, lambda score: score <= NEGATIVE_TO),
        "trend": _trend(scores),
        "cut_message_count": reading.cut_count,
    }


def _texts(turns: Iterable[Turn]) -> Iterator[str]:
    return (message.content.text for turn in turns for message in turn.messages)


def _turn_scores(turns: Iterable[Turn], parts: Iterator[str]) -> Iterator[float]:
    """A score for each turn of which anything was read; `parts` are of all their messages."""
    for turn in turns:
        own = list(islice(parts, len(turn.messages)))
        if own:
            yield fmean(_compound(piece) for part in own for piece in _pieces(part))


def _pieces(text: str) -> list[str]:
    """The text in pieces, cut between words where a word is not longer than a piece."""
    rest = text
    pieces = []
    while len(rest) > PIECE_CHARACTERS:
        end = rest.rfind(" ", 1, PIECE_CHARACTERS + 1)
        end = end if end > 0 else PIECE_CHARACTERS
        pieces.append(rest[:end])
        rest = rest[end:]
    return [*pieces, rest]


def _compound(text: str) -> float:
    score: float = _vader().polarity_scores(text)["compound"]
    return score


@cache
def _vader() -> Any:
    # Reads its lexicon of half a megabyte: once, when it is first wanted.
    return SentimentIntensityAnalyzer()  # type: ignore[no-untyped-call]


def _share(scores: Sequence[float], holds: Callable[[float], bool]) -> float | None:
    return _round(sum(map(holds, scores)) / len(scores)) if scores else None


def _trend(scores: Sequence[float]) -> float | None:
    half = len(scores) // 2
    return _round(fmean(scores[-half:]) - fmean(scores[:half])) if half else None


def _round(number: float) -> float:
    # Adding 0.0 makes a negative zero a plain one.
    return round(number, DECIMALS) + 0.0


SENTIMENT: Final = CodePass(
    PassDefinition(
        name="sentiment",
        version=1,
        category="sentiment",
        description="How the user felt turn by turn, on average, and which way it went.",
        kind=PassKind.CODE,
        output_schema=SCHEMA,
        parameters={
            "vader": version("vaderSentiment"),
            "decimals": DECIMALS,
            "positive_from": POSITIVE_FROM,
            "negative_to": NEGATIVE_TO,
            "piece_characters": PIECE_CHARACTERS,
            "message_characters": MESSAGE_CHARACTERS,
            "user_characters": USER_CHARACTERS,
        },
    ),
    run,
)
