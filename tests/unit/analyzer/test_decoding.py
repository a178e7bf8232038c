"""A record of the analyses topic is decoded once, unless it is long or no record at all."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from parley.codec import InvalidRecord, encode_analysis
from services.analyzer import decoding
from services.analyzer.decoding import MOST_BYTES, MOST_KEPT, decode
from tests.unit.codec.test_seals_and_analyses import ENDED


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    decoding._short.cache_clear()
    yield
    decoding._short.cache_clear()


def test_the_second_who_reads_a_record_is_given_what_the_first_was() -> None:
    value = encode_analysis(ENDED)
    first = decode(value)
    # As another consumer's fetch brings it.
    assert decode(bytes(bytearray(value))) is first
    assert first == ENDED


def test_records_that_differ_are_told_apart() -> None:
    other = replace(ENDED, ended_at=ENDED.ended_at + timedelta(microseconds=1))
    assert [decode(encode_analysis(one)) for one in (ENDED, other)] == [ENDED, other]


def test_a_long_one_is_not_kept() -> None:
    long = replace(ENDED, output_json=json.dumps({"text": "x" * MOST_BYTES}))
    value = encode_analysis(long)
    assert decode(value) == decode(value) == long
    assert decoding._short.cache_info().currsize == 0


def test_so_many_are_kept_and_no_more() -> None:
    for number in range(MOST_KEPT + 9):
        decode(encode_analysis(replace(ENDED, attempt_count=number)))
    assert decoding._short.cache_info().currsize == MOST_KEPT


@pytest.mark.parametrize("value", [None, b"", b"\xff\xff"])
def test_what_is_no_record_is_none_each_time(value: bytes | None) -> None:
    for _ in range(2):
        with pytest.raises(InvalidRecord):
            decode(value)
