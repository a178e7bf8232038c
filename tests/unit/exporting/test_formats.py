"""Tests of writing rows as JSONL and as Parquet."""

import gzip
import io
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pytest
from pyarrow import parquet

from parley.exporting.jsonl import JsonLines
from parley.exporting.kinds import Type
from parley.exporting.parquet import GROUP_ROWS, ParquetRows

COLUMNS = {
    "id": Type.TEXT,
    "at": Type.TIME,
    "count": Type.INTEGER,
    "is_new": Type.BOOLEAN,
    "names": Type.TEXTS,
    "metadata": Type.JSON,
}
NOON = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
ROW = ("a", NOON, 7, True, ["x", "y"], '{"n": 12345678901234567890123, "u": "é"}')
EMPTY = (None,) * len(COLUMNS)


def lines(*rows: tuple[Any, ...], is_gzip: bool = False) -> bytes:
    file = io.BytesIO()
    writer = JsonLines(file, COLUMNS, is_gzip=is_gzip)
    writer.write(list(rows))
    writer.close()
    return file.getvalue()


def table(*rows: tuple[Any, ...]) -> pa.Table:
    file = io.BytesIO()
    writer = ParquetRows(file, COLUMNS)
    writer.write(list(rows))
    writer.close()
    return parquet.read_table(file)


def test_a_line_is_an_object_with_times_in_utc_and_metadata_as_it_is() -> None:
    first, second = lines(ROW, EMPTY).splitlines()
    assert (
        first
        == (
            '{"id":"a","at":"2024-05-01T12:00:00.123456Z","count":7,"is_new":true,'
            '"names":["x","y"],"metadata":{"n": 12345678901234567890123, "u": "é"}}'
        ).encode()
    )
    assert orjson.loads(second) == dict.fromkeys(COLUMNS)


def test_the_same_rows_are_the_same_compressed_file() -> None:
    compressed = lines(ROW, ROW, is_gzip=True)
    assert gzip.decompress(compressed) == lines(ROW, ROW)
    assert compressed == lines(ROW, ROW, is_gzip=True)
    assert compressed[4:8] == bytes(4), "gzip's own time would differ from second to second"


def test_parquet_has_real_types() -> None:
    found = table(ROW, EMPTY)
    assert found.schema.field("at").type == pa.timestamp("us", tz="UTC")
    assert [str(one.type) for one in found.schema] == [
        *("string", "timestamp[us, tz=UTC]", "int64", "bool", "list<element: string>", "string")
    ]
    assert found.to_pylist() == [
        dict(zip(COLUMNS, ROW, strict=True)),
        dict(zip(COLUMNS, EMPTY, strict=True)),
    ]


@pytest.mark.parametrize("count", [0, 1, GROUP_ROWS, 2 * GROUP_ROWS + 1])
def test_any_number_of_rows_is_written(count: int) -> None:
    assert table(*[ROW] * count).num_rows == count
    assert len(lines(*[ROW] * count).splitlines()) == count


def test_long_texts_make_small_groups() -> None:
    file = io.BytesIO()
    writer = ParquetRows(file, {"text": Type.TEXT})
    for _ in range(6):
        writer.write([("x" * 10_000_000,)])
    writer.close()
    assert parquet.ParquetFile(file).num_row_groups == 3
