"""Sentiment of conversations whose mood is plain."""

import pytest

from parley.digests import SpokenMember
from parley.events import Role
from services.analyzer.passes.sentiment import (
    MESSAGE_CHARACTERS,
    USER_CHARACTERS,
    _pieces,
    run,
)
from tests.unit.analyzer.samples import assistant, spoken, text, user

NOTHING = {
    "user_turn_count": 0,
    "turn_scores": [],
    "mean": None,
    "positive_share": None,
    "neutral_share": None,
    "negative_share": None,
    "trend": None,
    "cut_message_count": 0,
}


def test_a_worked_example() -> None:
    output = run(
        text(
            user(0, "This is terrible, I hate it."),
            assistant(1, "I am so sorry, that is horrible!"),
            user(2, "It is about my table."),
            assistant(3, "Found it."),
            user(4, "Wonderful, thank you, great service!"),
        )
    )
    assert output == {
        "user_turn_count": 3,
        "turn_scores": [-0.7783, 0.0, 0.8908],
        "mean": 0.0375,
        "positive_share": 0.3333,
        "neutral_share": 0.3333,
        "negative_share": 0.3333,
        "trend": 1.6691,
        "cut_message_count": 0,
    }


def test_the_messages_of_a_turn_share_its_score() -> None:
    together = run(text(user(0, "great"), user(1, "the table")))
    alone = run(text(user(0, "great")))
    assert together["user_turn_count"] == 1
    assert together["mean"] == pytest.approx(_number(alone["mean"]) / 2, abs=1e-4)


def test_the_middle_turn_belongs_to_no_half() -> None:
    talk = [user(0, "awful"), assistant(1, "."), user(2, "great"), assistant(3, "."), user(4, "ok")]
    scores = run(text(*talk))["turn_scores"]
    assert isinstance(scores, list)
    assert run(text(*talk))["trend"] == pytest.approx(scores[2] - scores[0], abs=2e-4)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [assistant(0, "I love this")],
        [spoken(0, Role.SYSTEM, "great"), spoken(1, Role.TOOL, "x")],
    ],
    ids=["empty", "assistant only", "no talk"],
)
def test_without_a_user_there_is_no_sentiment(messages: list[SpokenMember]) -> None:
    assert run(text(*messages)) == NOTHING


def test_one_turn_has_no_trend() -> None:
    assert run(text(user(0, "great")))["trend"] is None


def test_a_message_without_text_is_neutral() -> None:
    output = run(text(user(0, "")))
    assert output["turn_scores"] == [0.0]
    assert output["neutral_share"] == 1.0


def test_a_long_text_is_scored_in_pieces_and_loses_nothing() -> None:
    long = "good and bad, " * 500
    assert "".join(_pieces(long)) == long
    assert all(len(piece) <= 500 for piece in _pieces(long))
    assert not any(piece.endswith("goo") for piece in _pieces(long))


def test_a_word_longer_than_a_piece_is_cut() -> None:
    assert [len(piece) for piece in _pieces("x" * 1_100)] == [500, 500, 100]


def test_what_lies_beyond_the_limit_is_not_scored_and_told() -> None:
    calm = "the table is here. " * (MESSAGE_CHARACTERS // 19 + 1)
    output = run(text(user(0, calm + "hate " * 1_000)))
    assert output["cut_message_count"] == 1
    assert output["mean"] == 0.0


def test_turns_after_the_limit_of_all_have_no_score_and_are_told() -> None:
    calm = "the table is here. " * (MESSAGE_CHARACTERS // 19)
    turns = USER_CHARACTERS // len(calm) + 3
    talk = [one for at in range(turns) for one in (user(2 * at, calm), assistant(2 * at + 1, "?"))]
    output = run(text(*talk, user(9_999, "hate hate hate")))
    scores = output["turn_scores"]
    assert isinstance(scores, list)
    assert output["user_turn_count"] == turns + 1
    assert len(scores) == USER_CHARACTERS // len(calm) + 1
    assert output["cut_message_count"] == 4
    assert output["mean"] == 0.0


@pytest.mark.timeout(60)
def test_a_flood_of_emoji_ends_within_seconds() -> None:
    # Each becomes several words to VADER, whose time grows with their square.
    assert run(text(user(0, "😀" * 200_000)))["cut_message_count"] == 1


def _number(value: object) -> float:
    assert isinstance(value, float)
    return value
