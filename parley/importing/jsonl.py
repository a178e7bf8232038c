"""Rows of a JSONL file: one JSON object a line."""

from collections.abc import Iterator

from parley.importing.rows import BadLine, ImportRow, ReadRow, parse_row
from parley.importing.source import Source


def jsonl_rows(source: Source) -> Iterator[ReadRow]:
    """Every line that is not empty, as a message or the reason why it is none."""
    for number, line in source.lines():
        if line.strip():
            yield ReadRow(number, len(line), _parsed(line))


def _parsed(line: bytes) -> ImportRow | BadLine:
    try:
        return parse_row(line)
    except BadLine as error:
        return error
