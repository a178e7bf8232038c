"""Turn statistics of conversations that can be counted by hand."""

from parley.events import Role
from parley.passes.code import Output
from services.analyzer.passes.turn_statistics import run
from tests.unit.analyzer.samples import assistant, spoken, text, user


def test_a_worked_example() -> None:
    output = run(
        text(
            spoken(0, Role.SYSTEM, "You help with orders."),
            user(10, "hello there"),
            user(12, "where is my order"),
            assistant(13.5, "let me look"),
            spoken(14, Role.TOOL, '{"order": 7}'),
            assistant(18, "it left today"),
            user(60, "thanks"),
            assistant(62.25, "you are most welcome"),
        )
    )
    assert output == {
        "message_count": 8,
        "other_message_count": 2,
        "turn_count": 4,
        "roles": {
            "user": {
                "turn_count": 2,
                "message_count": 3,
                "word_count": 7,
                "talk_share": 0.4118,
                "interrupted_count": 0,
            },
            "assistant": {
                "turn_count": 2,
                "message_count": 3,
                "word_count": 10,
                "talk_share": 0.5882,
                "interrupted_count": 0,
            },
        },
        "response_latency_seconds": {"count": 2, "median": 1.875, "mean": 1.875, "max": 2.25},
        "interruption_count": 0,
        "silences": {"count": 1, "total_seconds": 42.0, "longest_seconds": 42.0},
        "duration_seconds": 62.25,
    }


def test_the_median_stands_apart_from_one_slow_answer() -> None:
    answers = [user(0, "a"), assistant(1, "b"), user(10, "c"), assistant(12, "d")]
    output = run(text(*answers, user(20, "e"), assistant(620, "f")))
    assert output["response_latency_seconds"] == {
        "count": 3,
        "median": 2.0,
        "mean": 201.0,
        "max": 600.0,
    }


def test_an_empty_segment_has_zeros_and_nulls() -> None:
    nobody = {
        "turn_count": 0,
        "message_count": 0,
        "word_count": 0,
        "talk_share": None,
        "interrupted_count": 0,
    }
    assert run(text()) == {
        "message_count": 0,
        "other_message_count": 0,
        "turn_count": 0,
        "roles": {"user": nobody, "assistant": nobody},
        "response_latency_seconds": {"count": 0, "median": None, "mean": None, "max": None},
        "interruption_count": 0,
        "silences": {"count": 0, "total_seconds": 0.0, "longest_seconds": None},
        "duration_seconds": 0.0,
    }


def test_a_segment_without_a_user_has_no_response() -> None:
    output = run(text(assistant(0, "anybody there"), assistant(5, "hello")))
    assert output["response_latency_seconds"] == {
        "count": 0,
        "median": None,
        "mean": None,
        "max": None,
    }
    assert output["silences"] == {"count": 0, "total_seconds": 0.0, "longest_seconds": 5.0}


def test_messages_without_words_share_nothing() -> None:
    output = run(text(user(0, " "), assistant(0, "")))
    assert output["roles"] == {
        role: {
            "turn_count": 1,
            "message_count": 1,
            "word_count": 0,
            "talk_share": None,
            "interrupted_count": 0,
        }
        for role in ("user", "assistant")
    }


def test_what_was_broken_off_is_an_interruption_of_who_said_it() -> None:
    cut = assistant(1, "Your order left on")._replace(is_interrupted=True)
    again = assistant(3, "So it is")._replace(is_interrupted=True)
    tool = spoken(4, Role.TOOL, "{}")._replace(is_interrupted=True)
    output = run(text(user(0, "where is it"), cut, user(2, "stop"), again, tool))
    assert output["interruption_count"] == 2
    assert _interrupted(output) == {"user": 0, "assistant": 2}


def test_a_silence_is_30_seconds_or_more_and_all_are_added_up() -> None:
    talk = [user(0, "a"), assistant(29.999, "b"), user(59.999, "c"), user(160, "d")]
    assert run(text(*talk))["silences"] == {
        "count": 2,
        "total_seconds": 130.001,
        "longest_seconds": 100.001,
    }


def _interrupted(output: Output) -> dict[str, int]:
    roles = output["roles"]
    assert isinstance(roles, dict)
    return {role: one["interrupted_count"] for role, one in roles.items()}
