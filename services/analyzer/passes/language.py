"""The pass language: which languages the two sides write, and how much of each.

Definitions (version 1):
- Only what the user and the assistant said is looked at.
- The detector (detector.py) judges each message on its own. Those that are too short for that are
  put together, by side, and judged as one text.
- A side's language is the one of most of its letters, of two equals the first by the alphabet; its
  confidence is the mean of the detector's over those messages, weighed by their letters. The
  conversation's is the same over both sides.
- `shares` are of the letters of words, the greatest first; `undetermined_share` is what was too
  short or uncertain, and null without a letter. Letters of languages with great alphabets, as
  Chinese, are fewer for the same content.
- Without a language there is a reason: `no_text` without a letter, `uncertain` where the detector
  was not sure of any message, else `too_short`.
- Of a side its first 200,000 characters of words are judged. `unread_message_count` says how many
  of the messages of talk came after that.

Shares and confidence are rounded to 4 decimals.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from parley.digests import SpokenMember
from parley.events import Role
from parley.passes.code import CodePass, Output, SegmentText
from parley.passes.definition import PassDefinition, PassKind
from services.analyzer.passes import detector
from services.analyzer.passes.detector import Guess, guess, letters_of, words_of
from services.analyzer.passes.shapes import COUNT, SHARE, fields, items, nullable, one_of
from services.analyzer.passes.turns import TALKING_ROLES

DECIMALS: Final = 4
SIDE_CHARACTERS: Final = 200_000

_LANGUAGE: Final = {"type": "string", "pattern": "^[a-z]{2}$"}
_SIDE: Final = fields(
    language=nullable({**_LANGUAGE}),
    confidence=nullable(SHARE),
    reason=one_of(*detector.REASONS, None),
    letter_count=COUNT,
    shares=items(fields(language={**_LANGUAGE}, share=SHARE)),
    undetermined_share=nullable(SHARE),
)
SCHEMA: Final = fields(
    conversation=_SIDE,
    roles=fields(user=_SIDE, assistant=_SIDE),
    unread_message_count=COUNT,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A text that was judged as one."""

    letter_count: int
    guess: Guess


@dataclass(frozen=True, slots=True)
class Side:
    """What was read of a side, and how many of its messages were not."""

    pieces: Sequence[Piece]
    unread_message_count: int


def run(segment: SegmentText) -> Output:
    """The languages of a segment; nulls with a reason where they cannot be told."""
    sides = {role: _side(_of(role, segment.messages)) for role in TALKING_ROLES}
    return {
        "conversation": _told([piece for side in sides.values() for piece in side.pieces]),
        "roles": {role.value: _told(side.pieces) for role, side in sides.items()},
        "unread_message_count": sum(side.unread_message_count for side in sides.values()),
    }


def _of(role: Role, messages: Iterable[SpokenMember]) -> list[str]:
    return [message.content.text for message in messages if message.role is role]


def _side(texts: Sequence[str]) -> Side:
    pieces: list[Piece] = []
    short: list[str] = []
    room, read_count = SIDE_CHARACTERS, 0
    for text in texts:
        if room <= 0:
            break
        words = words_of(text)
        piece = Piece(len(letters_of(words)), guess(words))
        if piece.guess.reason == detector.TOO_SHORT:
            short.append(words)
        else:
            pieces.append(piece)
        # What is read holds at least a character, so that the loop ends for empty ones as well.
        room -= len(words) + 1
        read_count += 1
    return Side([*pieces, _together(short)], len(texts) - read_count)


def _together(short: Sequence[str]) -> Piece:
    words = " ".join(short)
    return Piece(len(letters_of(words)), guess(words[: detector.TEXT_CHARACTERS]))


def _told(pieces: Sequence[Piece]) -> Output:
    letters: Counter[str | None] = Counter()
    for piece in pieces:
        letters[piece.guess.language] += piece.letter_count
    total, undetermined = letters.total(), letters.pop(None, 0)
    ranked = sorted(((count, one) for one, count in letters.items() if one), key=_greatest_first)
    language = ranked[0][1] if ranked else None
    return {
        "language": language,
        "confidence": _confidence(pieces, language),
        "reason": None if language else _reason(pieces),
        "letter_count": total,
        "shares": [{"language": one, "share": _share(count, total)} for count, one in ranked],
        "undetermined_share": _share(undetermined, total) if total else None,
    }


def _greatest_first(ranked: tuple[int, str]) -> tuple[int, str]:
    return -ranked[0], ranked[1]


def _confidence(pieces: Sequence[Piece], language: str | None) -> float | None:
    own = [one for one in pieces if language and one.guess.language == language]
    if not own:
        return None
    weighed = sum((one.guess.confidence or 0.0) * one.letter_count for one in own)
    return round(weighed / sum(one.letter_count for one in own), DECIMALS)


def _reason(pieces: Sequence[Piece]) -> str:
    """The first of these that holds for any piece, as the docstring says."""
    found = {piece.guess.reason for piece in pieces}
    worst_first = (detector.UNCERTAIN, detector.TOO_SHORT, detector.NO_TEXT)
    return next(reason for reason in worst_first if reason in found)


def _share(part: int, whole: int) -> float:
    return round(part / whole, DECIMALS)


LANGUAGE: Final = CodePass(
    PassDefinition(
        name="language",
        version=1,
        category="language",
        description="The language of each side and of the conversation, and the share of each.",
        kind=PassKind.CODE,
        output_schema=SCHEMA,
        parameters={
            **detector.PARAMETERS,
            "decimals": DECIMALS,
            "side_characters": SIDE_CHARACTERS,
        },
    ),
    run,
)
