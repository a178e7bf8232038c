"""The pass key_phrases: what the conversation was about, in its own words, by YAKE.

Definitions (version 1):
- What the user and the assistant said is one text, each message a sentence of its own at least: no
  phrase reaches over the end of a message. Of a message the first 2,000 characters count, of the
  conversation the first 50,000; `cut_message_count` says how many messages were shortened by that
  or left out.
- The language is what the detector (detector.py) says of the text's beginning. YAKE needs its stop
  words, and spaces between words: without a language, and for one that YAKE has no list of or that
  is written without spaces (Chinese, Japanese), there are no phrases but a reason.
- A phrase has at most 3 words. YAKE scores it by how often, where, in which case and in whose
  company its words stand; the lower the score, the more it says. Phrases with a word of more than
  40 characters or without a letter are left out.
- Of two phrases of which one has all words of the other, the better scored stays; of equal scores
  the one with more words, then the first by the alphabet. A word that ends in s is the same without
  it, as to YAKE. The best 10 are given, with the number of times that the text has them.

Scores are rounded to 4 significant digits, before they are compared.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from parley.passes.code import CodePass, Output, SegmentText
from parley.passes.definition import PassDefinition, PassKind
from services.analyzer.passes import detector
from services.analyzer.passes.detector import guess, words_of
from services.analyzer.passes.reading import read
from services.analyzer.passes.shapes import COUNT, fields, items, nullable, one_of
from services.analyzer.passes.turns import TALKING_ROLES

PHRASES: Final = 10
PHRASE_WORDS: Final = 3
WINDOW: Final = 1
SCORE_DIGITS: Final = 4
WORD_CHARACTERS: Final = 40
PLURAL_ABOVE: Final = 3
MESSAGE_CHARACTERS: Final = 2_000
TEXT_CHARACTERS: Final = 50_000
# A full stop of its own ends YAKE's sentence and every phrase.
BETWEEN_MESSAGES: Final = " . "
# YAKE's names of its lists of stop words; Czech and Norwegian are not named by their code.
# Marks that end a phrase, and that YAKE takes for letters.
MARKS: Final = "،؛؟۔।॥…«»“”„‹›–—"
_COMMAS: Final = str.maketrans(dict.fromkeys(MARKS, " , "))
LISTS: Final = (
    "ar bg da de el en es et fa fi fr hi hr hu hy id it lt lv nl no pl pt ro ru sk sl sv tr uk"
)
STOP_WORDS: Final = {**{one: one for one in LISTS.split()}, "cs": "cz", "nn": "no"}
NO_STOP_WORDS: Final = "language_not_supported"

_PHRASE: Final = fields(
    phrase={"type": "string", "minLength": 1},
    score={"type": "number", "minimum": 0},
    count={"type": "integer", "minimum": 1},
)
SCHEMA: Final = fields(
    language=nullable({"type": "string", "pattern": "^[a-z]{2}$"}),
    phrases=items(_PHRASE, maxItems=PHRASES),
    reason=one_of(*detector.REASONS, NO_STOP_WORDS, None),
    cut_message_count=COUNT,
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase, and its words in lower case and without a plural's s."""

    text: str
    words: frozenset[str]
    score: float
    count: int


def run(segment: SegmentText) -> Output:
    """The key phrases of a segment; none with a reason where its language is not known."""
    texts = [one.content.text for one in segment.messages if one.role in TALKING_ROLES]
    reading = read(texts, MESSAGE_CHARACTERS, TEXT_CHARACTERS)
    found = guess(words_of(" ".join(reading.parts)))
    can_read = found.language in STOP_WORDS
    phrases = _phrases(reading.parts, found.language) if found.language and can_read else []
    return {
        "language": found.language,
        "phrases": [_told(phrase) for phrase in _distinct(phrases)],
        "reason": None if can_read else found.reason or NO_STOP_WORDS,
        "cut_message_count": reading.cut_count,
    }


def _phrases(texts: Iterable[str], language: str) -> list[Phrase]:
    """All phrases, the best first."""
    from yake.data import DataCore  # noqa: PLC0415 - it loads numpy and networkx

    text = BETWEEN_MESSAGES.join(texts).translate(_COMMAS)
    settings = {"windows_size": WINDOW, "n": PHRASE_WORDS}
    # Not `extract_keywords`: what it cannot read it logs, with the text, and calls it empty.
    core = DataCore(text, set(_stop_words(language)), settings)
    core.build_single_terms_features()
    core.build_mult_terms_features()
    phrases = [_phrase(one) for one in core.candidates.values() if one.is_valid()]
    return sorted(filter(_is_readable, phrases), key=_best_first)


def _phrase(candidate: Any) -> Phrase:
    words = frozenset(map(_singular, candidate.unique_kw.split()))
    score = float(f"{candidate.h:.{SCORE_DIGITS}g}")
    return Phrase(str(candidate.kw), words, score, int(candidate.tf))


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and len(word) > PLURAL_ABOVE else word


def _is_readable(phrase: Phrase) -> bool:
    return all(len(one) <= WORD_CHARACTERS and any(map(str.isalpha, one)) for one in phrase.words)


def _best_first(phrase: Phrase) -> tuple[float, int, str]:
    return phrase.score, -len(phrase.words), phrase.text


def _distinct(ranked: Iterable[Phrase]) -> list[Phrase]:
    kept: list[Phrase] = []
    for phrase in ranked:
        if len(kept) == PHRASES:
            break
        if not any(phrase.words <= one.words or one.words <= phrase.words for one in kept):
            kept.append(phrase)
    return kept


@cache
def _stop_words(language: str) -> frozenset[str]:
    from yake import KeywordExtractor  # noqa: PLC0415 - as above

    return frozenset(KeywordExtractor(lan=STOP_WORDS[language]).stopword_set)


def _told(phrase: Phrase) -> Output:
    return {"phrase": phrase.text, "score": phrase.score, "count": phrase.count}


KEY_PHRASES: Final = CodePass(
    PassDefinition(
        name="key_phrases",
        version=1,
        category="topics",
        description="What the conversation was about: its most telling phrases.",
        kind=PassKind.CODE,
        output_schema=SCHEMA,
        parameters={
            **detector.PARAMETERS,
            "yake": version("yake"),
            "segtok": version("segtok"),
            "regex": version("regex"),
            "networkx": version("networkx"),
            "phrases": PHRASES,
            "phrase_words": PHRASE_WORDS,
            "window": WINDOW,
            "score_digits": SCORE_DIGITS,
            "word_characters": WORD_CHARACTERS,
            "plural_above": PLURAL_ABOVE,
            "message_characters": MESSAGE_CHARACTERS,
            "conversation_characters": TEXT_CHARACTERS,
            "between_messages": BETWEEN_MESSAGES,
            "marks": MARKS,
            "stop_words": {**STOP_WORDS},
        },
    ),
    run,
)
