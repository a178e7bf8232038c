"""Writes rows as Parquet, with real types. It needs pyarrow, which not every installation has."""

from typing import IO, Any, Final

import pyarrow as pa
from pyarrow import parquet

from parley.exporting.kinds import Columns, Type
from parley.exporting.reading import Rows

# A row group is in memory as a whole: so many rows, or about so many bytes of text.
GROUP_ROWS: Final = 10_000
GROUP_BYTES: Final = 16 * 1024 * 1024

_TYPES: Final = {
    Type.TEXT: pa.string(),
    Type.TEXTS: pa.list_(pa.string()),
    Type.TIME: pa.timestamp("us", tz="UTC"),
    Type.INTEGER: pa.int64(),
    Type.BOOLEAN: pa.bool_(),
    Type.JSON: pa.string(),
}


class ParquetRows:
    """Columns of the kind's types; metadata is JSON text."""

    def __init__(self, file: IO[bytes], columns: Columns) -> None:
        self._schema = pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._pending: Rows = []
        self._pending_bytes = 0

    def write(self, rows: Rows) -> None:
        """Take some rows; they are written when there are enough for a row group."""
        self._pending.extend(rows)
        self._pending_bytes += sum(map(_size_of, rows))
        if len(self._pending) >= GROUP_ROWS or self._pending_bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is left, and what belongs to the end; the file itself stays open."""
        if self._pending:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        columns = zip(*self._pending, strict=True)
        arrays = [
            pa.array(values, one.type) for one, values in zip(self._schema, columns, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._pending, self._pending_bytes = [], 0


def _size_of(row: tuple[Any, ...]) -> int:
    return sum(len(value) for value in row if isinstance(value, str))
