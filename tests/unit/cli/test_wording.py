"""Counts and JSON as people read them."""

import orjson
import pytest

from parley.cli.wording import counted, readable_json

VERDICT = {
    "roles": {
        "user": {"talk_share": 0.4177, "turn_count": 4, "word_count": 33},
        "assistant": {"talk_share": 0.5823, "turn_count": 4, "word_count": 46},
    },
    "scores": [round(0.01 * one, 2) for one in range(60)],
    "longest_silence_seconds": None,
    "notes": [{"text": "it's “fine”"}, {"text": "a" * 50}],
    "empty": {},
}


def test_one_is_not_plural() -> None:
    assert counted(0, "segment") == "0 segments"
    assert counted(1, "segment") == "1 segment"
    assert counted(12_345, "segment") == "12,345 segments"


@pytest.mark.parametrize("width", [70, 76, 116, 10_000])
def test_json_stays_json_within_the_width(width: int) -> None:
    text = readable_json(VERDICT, width)
    assert orjson.loads(text) == VERDICT
    assert max(len(line) for line in text.splitlines()) <= width


def test_what_fits_is_on_one_line() -> None:
    assert readable_json({"a": [1, None], "b": {"c": True}}, 40) == (
        '{"a": [1, null], "b": {"c": true}}'
    )
    assert readable_json({"a": [1, None], "b": {"c": True}}, 20) == (
        '{\n  "a": [1, null],\n  "b": {"c": true}\n}'
    )


def test_a_text_that_is_too_long_is_not_cut() -> None:
    assert readable_json(["x" * 50], 20) == '[\n  "' + "x" * 50 + '"\n]'
