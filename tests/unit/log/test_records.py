"""Records as aiokafka gives them, whatever their writers put into them."""

from dataclasses import dataclass
from typing import Any

import pytest

from parley.codec import InvalidRecord
from parley.codec.record import APPEND_TIME, SOURCE_POSITION
from parley.log.records import to_log_record


@dataclass(frozen=True, slots=True)
class Consumed:
    """What Parley reads of an aiokafka record."""

    headers: Any
    topic: str = "t"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None


def test_a_header_without_a_value_is_an_empty_one() -> None:
    record = to_log_record(Consumed([("a", None), ("b", b"1"), ("a", b"2")]))
    assert record.headers == (("a", b""), ("b", b"1"), ("a", b"2"))


def test_a_copys_headers_without_values_make_it_an_invalid_record() -> None:
    record = to_log_record(Consumed([(APPEND_TIME, None), (SOURCE_POSITION, None)]))
    with pytest.raises(InvalidRecord, match="append_time"):
        record.append_time()
    with pytest.raises(InvalidRecord, match="source_position"):
        record.source()
