"""Says which language a text is in, by py3langid's model: for the passes that need to know.

Definitions (version 1):
- Only words count: what white space separates and holds no digit, slash, backslash, at sign,
  underscore, equals sign, angle or curly bracket, pipe, dollar sign, tilde, nor a dot within
  it. So addresses, paths, names of files and code say nothing about the language.
- Letters are what Unicode calls so. A text whose letters are fewer than 20 bytes of UTF-8 (20 of
  English, 7 of Chinese) is too short to tell.
- Only languages with a code of two letters (ISO 639-1) are known. The model knows others, which are
  seldom met, and mistaken for their greater neighbours in short texts, as English for Pidgin.
- Confidence is the model's, from 0 to 1, of those languages. Below 0.3 the language is uncertain.
- Of a text the first 5,000 characters of words are read: no language is clearer after more.

The model is read when it is first wanted, once for all threads, and never changed after that.
Scores are added up in double precision and in the order of the text, rather than by the library's
matrix product, whose last digits are different with another processor.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from threading import Lock
from typing import Any, Final

from parley.passes.definition import JsonValue

MIN_LETTER_BYTES: Final = 20
MIN_CONFIDENCE: Final = 0.3
TEXT_CHARACTERS: Final = 5_000
CODE_LETTERS: Final = 2
NOT_A_WORD: Final = re.compile(r"[\d/\\@_=<>{}|$~]|\w\.\w")

NO_TEXT: Final = "no_text"
TOO_SHORT: Final = "too_short"
UNCERTAIN: Final = "uncertain"
REASONS: Final = (NO_TEXT, TOO_SHORT, UNCERTAIN)

PARAMETERS: Final[dict[str, JsonValue]] = {
    "py3langid": version("py3langid"),
    "numpy": version("numpy"),
    "min_letter_bytes": MIN_LETTER_BYTES,
    "min_confidence": MIN_CONFIDENCE,
    "text_characters": TEXT_CHARACTERS,
    "code_letters": CODE_LETTERS,
    "not_a_word": NOT_A_WORD.pattern,
}

_loading = Lock()


@dataclass(frozen=True, slots=True)
class Guess:
    """A language and the model's confidence, or None and the reason why there is none."""

    language: str | None
    confidence: float | None
    reason: str | None


def words_of(text: str) -> str:
    """The words of a text, by single spaces: only its beginning, of TEXT_CHARACTERS."""
    words: list[str] = []
    room = TEXT_CHARACTERS
    # Twice as much is enough of a text to fill the room, unless most of it is no words.
    for word in text[: 2 * TEXT_CHARACTERS].split():
        if not NOT_A_WORD.search(word):
            words.append(word)
            room -= len(word) + 1
        if room <= 0:
            break
    return " ".join(words)[:TEXT_CHARACTERS]


def letters_of(words: str) -> str:
    """The letters alone."""
    return "".join(filter(str.isalpha, words))


def guess(words: str) -> Guess:
    """The language of words, as `words_of` gives them."""
    letters = letters_of(words)
    if not letters:
        return Guess(None, None, NO_TEXT)
    if len(letters.encode(errors="replace")) < MIN_LETTER_BYTES:
        return Guess(None, None, TOO_SHORT)
    language, confidence = _identifier().classify(words)
    if confidence < MIN_CONFIDENCE:
        return Guess(None, confidence, UNCERTAIN)
    return Guess(language, confidence, None)


def _identifier() -> Any:
    # `cache` alone would let two threads load 75 MB each.
    with _loading:
        return _load()


@cache
def _load() -> Any:
    # numpy and the model are not wanted where nobody runs a pass.
    import numpy  # noqa: PLC0415
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415

    class Identifier(LanguageIdentifier):  # type: ignore[misc]
        """Adds up in double precision, feature by feature."""

        __slots__ = ()

        def _sparse_score(self, visits: dict[int, int], table: Any) -> Any:
            features = numpy.fromiter(visits.keys(), dtype=numpy.intp, count=len(visits))
            counts = numpy.fromiter(visits.values(), dtype=numpy.float64, count=len(visits))
            weighed = numpy.log1p(counts)[:, None] * table[features]
            return weighed.sum(axis=0) + self.nb_pc

    identifier = Identifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([one for one in identifier.labels if len(one) == CODE_LETTERS])
    return identifier
