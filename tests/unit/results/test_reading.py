"""A verdict's row as plain data, and as it is told."""

from datetime import timedelta
from uuid import UUID

import orjson

from parley.results.reading import as_told, as_verdict

SEGMENT = "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_ids_are_texts_hashes_hexadecimal_and_spans_seconds() -> None:
    row = {
        "tenant_id": "acme",
        "key": "k",
        "segment_id": UUID(SEGMENT),
        "backfill_run_id": None,
        "member_digest": b"\x00\xff",
        "latency": timedelta(milliseconds=1_500),
        "output": '{"a": [1]}',
    }
    assert as_verdict(row) == {
        "segment_id": SEGMENT,
        "backfill_run_id": None,
        "member_digest": "00ff",
        "latency_seconds": 1.5,
        "output": {"a": [1]},
    }


def test_what_is_told_is_the_result_as_it_is_written_whatever_numbers_it_holds() -> None:
    text = '{"large":1e400,"exact":12345678901234567890123}'
    assert orjson.dumps(as_told({"output": text})) == b'{"output":' + text.encode() + b"}"
    assert as_verdict({"output": text})["output"] == text
