"""Rows of a CSV file: its first row names the columns."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from parley.errors import UserError
from parley.importing.rows import (
    FIELDS,
    MAX_LINE_BYTES,
    REQUIRED,
    BadLine,
    ImportRow,
    ReadRow,
    row_from,
)
from parley.importing.source import Source

# A text may be empty; any other cell without content says nothing.
_TEXTS: Final = frozenset(("content",))


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How a file is to be read: what parts its cells, and its names for our fields."""

    delimiter: str = ","
    names: Mapping[str, str] | None = None

    def rows(self, source: Source) -> Iterator[ReadRow]:
        """Every row below the header; raises UserError where the header does not fit.

        A row may span lines, where a cell in quotes does; its number is its first line's.
        """
        cells = _Cells(source, self.delimiter)
        header = next(cells, None)
        if header is None:
            raise UserError(f"{source.name} is empty.", "Its first row must name the columns.")
        if isinstance(header.cells, BadLine):
            raise UserError(f"The header of {source.name} cannot be read: {header.cells}.")
        if not all(map(_is_utf_8, header.cells)):
            raise UserError(
                f"The header of {source.name} cannot be read: it is not UTF-8.",
                "Write the file in UTF-8, as `iconv -f latin1 -t utf-8` does.",
            )
        columns = _columns(header.cells, self.names or {}, source.name, self.delimiter)
        for row in cells:
            if row.cells:
                yield ReadRow(row.number, row.size_bytes, _found(row.cells, columns))


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    size_bytes: int
    cells: list[str] | BadLine


class _Cells:
    """The rows of a CSV text, each with the line where it begins; a broken one says why."""

    def __init__(self, source: Source, delimiter: str) -> None:
        csv.field_size_limit(MAX_LINE_BYTES)
        self._lines = source.lines()
        self._delimiter = delimiter
        self._number = self._size_bytes = 0
        self._reader = self._begin()

    def __iter__(self) -> "_Cells":
        return self

    def __next__(self) -> _Row:
        number, self._size_bytes = self._number + 1, 0
        try:
            cells: list[str] | BadLine = next(self._reader)
        except (csv.Error, BadLine) as error:
            # The reader is in the middle of nowhere: the next line begins anew.
            self._reader = self._begin()
            cells = error if isinstance(error, BadLine) else BadLine(f"not valid CSV ({error})")
        return _Row(number, self._size_bytes, cells)

    def _begin(self) -> "Iterator[list[str]]":
        return csv.reader(self._texts(), delimiter=self._delimiter, strict=True)

    def _texts(self) -> Iterator[str]:
        for number, line in self._lines:
            self._number = number
            self._size_bytes += len(line)
            if len(line) >= MAX_LINE_BYTES:
                raise BadLine(f"longer than {MAX_LINE_BYTES:,} bytes")
            # What is no UTF-8 is found in its cell, so that only its row is refused.
            yield line.decode(errors="surrogateescape")


def _columns(
    header: Sequence[str], names: Mapping[str, str], file: str, delimiter: str
) -> tuple[str, ...]:
    """Which field each column is; empty for one whose name was given to another column."""
    theirs = [name.strip() for name in header]
    _refuse_unknown(names, theirs, file)
    ours = {their: our for our, their in names.items()}
    fields = tuple(ours.get(one, "" if one in names else one) for one in theirs)
    missing = [name for name in REQUIRED if name not in fields]
    if missing:
        raise UserError(
            f"{file} has no column for {', '.join(missing)}. Its columns, parted by "
            f"{delimiter!r}, are: {_listed(theirs)}.",
            f"Say which one it is, as in `--map {missing[0]}=THEIRS`, or name another --delimiter.",
        )
    for name in sorted(FIELDS):
        if fields.count(name) > 1:
            raise UserError(f"{file} has two columns for {name}.", "Leave one of them out.")
    return fields


def _refuse_unknown(names: Mapping[str, str], theirs: Sequence[str], file: str) -> None:
    for our, their in names.items():
        if our not in FIELDS:
            raise UserError(
                f"--map {our}={their}: {our} is no field of a message.",
                f"The fields are: {', '.join(sorted(FIELDS))}.",
            )
        if their not in theirs:
            raise UserError(
                f"--map {our}={their}: {file} has no column {their}.",
                f"Its columns are: {_listed(theirs)}.",
            )
    if len(set(names.values())) < len(names):
        raise UserError("--map gives one column two names.", "Name each column once.")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _found(cells: list[str] | BadLine, columns: Sequence[str]) -> ImportRow | BadLine:
    if isinstance(cells, BadLine):
        return cells
    try:
        return row_from(_fields(cells, columns))
    except BadLine as error:
        return error


def _fields(cells: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    if len(cells) != len(names):
        raise BadLine(f"{len(cells)} cells, where the header names {len(names)}")
    fields: dict[str, Any] = {}
    for name, cell in zip(names, cells, strict=True):
        _refuse_other_encodings(name, cell)
        if name and (cell or name in _TEXTS):
            fields[name] = cell
    if "metadata" in fields:
        fields["metadata"] = _metadata(fields["metadata"])
    return fields


def _refuse_other_encodings(name: str, cell: str) -> None:
    if not _is_utf_8(cell):
        raise BadLine(f"{name} is not UTF-8")


def _is_utf_8(cell: str) -> bool:
    """Whether the bytes of a cell were; others stand in it as surrogates."""
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _metadata(cell: str) -> Any:
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError as error:
        raise BadLine("metadata is not valid JSON") from error
