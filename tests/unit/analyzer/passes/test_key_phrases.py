"""Key phrases of conversations that are plainly about something."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from parley.events import Role
from services.analyzer.passes.key_phrases import (
    PHRASES,
    TEXT_CHARACTERS,
    Phrase,
    _distinct,
    run,
)
from tests.unit.analyzer.samples import assistant, spoken, text, user

PRINTER = [
    user(0, "My laser printer shows a paper jam, but there is no paper in it."),
    assistant(1, "Please open the rear cover of the laser printer and look for a paper jam there."),
    user(2, "The rear cover is open. I see a torn sheet behind the fuser unit."),
    assistant(3, "Remove the torn sheet, close the rear cover and the paper jam should be gone."),
]


def phrases_of(output: Any) -> list[str]:
    return [one["phrase"] for one in output["phrases"]]


def test_a_worked_example() -> None:
    output: Any = run(text(*PRINTER))
    assert (output["language"], output["reason"], output["cut_message_count"]) == ("en", None, 0)
    assert phrases_of(output)[:3] == ["laser printer shows", "paper jam", "rear cover"]
    scores = [one["score"] for one in output["phrases"]]
    assert scores == sorted(scores)
    assert {one["phrase"]: one["count"] for one in output["phrases"]}["rear cover"] == 3


@pytest.mark.parametrize(
    ("said", "language", "expected"),
    [
        (
            "Meine Kaffeemaschine zeigt eine Fehlermeldung. Die Kaffeemaschine ist neu und die "
            "Fehlermeldung kommt bei jedem Start der Kaffeemaschine.",
            "de",
            "Kaffeemaschine",
        ),
        (
            "Mi lavadora pierde agua. La lavadora es nueva y pierde agua cada vez que la uso. "
            "Necesito un técnico para la lavadora.",
            "es",
            "lavadora",
        ),
        (
            "Мой холодильник сломался. Этот холодильник новый, и мне нужен ремонт холодильник.",
            "ru",
            "холодильник",
        ),
    ],
)
def test_other_languages_have_their_own_stop_words(said: str, language: str, expected: str) -> None:
    output: Any = run(text(user(0, said)))
    assert (output["language"], output["reason"]) == (language, None)
    assert any(expected in phrase for phrase in phrases_of(output)[:3])
    words = {word.lower() for phrase in phrases_of(output) for word in phrase.split()[:1]}
    assert not words & {"die", "la", "eine", "и", "que", "мой"}


def test_marks_of_other_scripts_end_a_phrase() -> None:
    output: Any = run(text(user(0, "مرحبا، لم يصل طلبي بعد، هل يمكنك مساعدتي في معرفة أين الطلب؟")))
    assert output["language"] == "ar"
    assert output["phrases"]
    assert not any(set(phrase) & set("،؟") for phrase in phrases_of(output))


@pytest.mark.parametrize(
    ("said", "language", "reason"),
    [
        ("", None, "no_text"),
        ("😀😀😀", None, "no_text"),
        ("thanks", None, "too_short"),
        ("xqz vbnm wrtp qwxz kjhg zxcv", None, "uncertain"),
        ("你好，我的订单还没有到，请帮我查一下物流信息好吗？", "zh", "language_not_supported"),
        ("שלום, ההזמנה שלי עדיין לא הגיעה", "he", "language_not_supported"),
    ],
)
def test_where_there_are_no_phrases_there_is_a_reason(
    said: str, language: str | None, reason: str
) -> None:
    assert run(text(user(0, said))) == {
        "language": language,
        "phrases": [],
        "reason": reason,
        "cut_message_count": 0,
    }


def test_no_phrase_reaches_over_the_end_of_a_message() -> None:
    output: Any = run(text(user(0, "I have bought a garden"), user(1, "chair from your shop")))
    assert output["phrases"]
    assert "garden chair" not in phrases_of(output)


def test_what_tools_and_the_system_say_is_left_out() -> None:
    said = [spoken(4, Role.TOOL, "zebra crossing zebra crossing"), spoken(5, Role.SYSTEM, "zebra")]
    assert run(text(*PRINTER, *said)) == run(text(*PRINTER))


def phrase(words: str, score: float) -> Phrase:
    return Phrase(words, frozenset(words.split()), score, 1)


@pytest.mark.parametrize(
    ("ranked", "kept"),
    [
        (["a b", "a", "b c"], ["a b", "b c"]),
        (["a", "a b", "c"], ["a", "c"]),
        (["a b", "b a"], ["a b"]),
        ([f"w{number}" for number in range(30)], [f"w{number}" for number in range(PHRASES)]),
    ],
)
def test_of_two_phrases_of_the_same_words_the_better_stays(
    ranked: Sequence[str], kept: Sequence[str]
) -> None:
    found = _distinct(phrase(words, number) for number, words in enumerate(ranked))
    assert [one.text for one in found] == kept


def test_what_comes_after_the_bound_is_not_read_and_told() -> None:
    filler = "It works well with other things that people have. " * 40
    messages = [user(number, filler) for number in range(TEXT_CHARACTERS // 2_000 + 5)]
    output: Any = run(text(*messages, user(9_999, "zeppelin zeppelin zeppelin")))
    assert output["cut_message_count"] >= 5
    assert "zeppelin" not in phrases_of(output)


def test_what_cannot_be_read_is_raised_and_in_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ArithmeticError("broken")

    monkeypatch.setattr("yake.data.core.DataCore.build_single_terms_features", broken)
    with caplog.at_level(logging.DEBUG), pytest.raises(ArithmeticError):
        run(text(*PRINTER))
    assert "printer" not in caplog.text
