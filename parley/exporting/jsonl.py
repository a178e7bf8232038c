"""Writes rows as JSONL: one object a line, times in UTC, metadata as it is."""

import gzip
from typing import IO, Any, Final

import orjson

from parley.exporting.kinds import Columns, Type
from parley.exporting.reading import Rows

_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
# Twice as fast as gzip's own default, and a few hundredths larger.
_COMPRESSION: Final = 5


class JsonLines:
    """Every row has all columns, null where it says nothing."""

    def __init__(self, file: IO[bytes], columns: Columns, *, is_gzip: bool) -> None:
        # Without a time in its head, the same rows are the same file.
        self._gzip = gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0) if is_gzip else None
        self._file: IO[bytes] = self._gzip or file  # type: ignore[assignment]
        self._columns = columns

    def write(self, rows: Rows) -> None:
        """Write some rows."""
        self._file.writelines(map(self._line, rows))

    def close(self) -> None:
        """Write what belongs to the end; the file itself stays open."""
        if self._gzip is not None:
            self._gzip.close()

    def _line(self, row: tuple[Any, ...]) -> bytes:
        pairs = zip(self._columns.items(), row, strict=True)
        fields = {name: _value(kind, value) for (name, kind), value in pairs}
        return orjson.dumps(fields, option=_OPTIONS)


def _value(kind: Type, value: Any) -> Any:
    return orjson.Fragment(value) if kind is Type.JSON and value is not None else value
