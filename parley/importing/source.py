"""The lines of a file, a gzip file or the standard input, with how far the reading has come."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final

from parley.errors import UserError
from parley.importing.rows import MAX_LINE_BYTES

STANDARD_INPUT: Final = "-"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK: Final = b"\xef\xbb\xbf"


class Source:
    """Numbered lines of a text; `total_bytes` is None where nobody knows the end."""

    def __init__(self, name: str, raw: BufferedReader, total_bytes: int | None) -> None:
        self.name = name
        self.total_bytes = total_bytes
        self._raw = raw
        head = raw.peek(len(_GZIP_MAGIC))
        if head.startswith(_UTF16_MARKS):
            raise UserError(
                f"{name} is UTF-16 text.",
                "Convert it to UTF-8: `iconv -f UTF-16 -t UTF-8 FILE > NEW`.",
            )
        is_gzip = head.startswith(_GZIP_MAGIC) or (name.endswith(".gz") and bool(head))
        self._text = gzip.GzipFile(fileobj=raw) if is_gzip else raw

    def bytes_read(self) -> int:
        """How much of the file, compressed as it lies there, has been read."""
        return self._raw.tell() if self.total_bytes is not None else 0

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Every line with its number from 1; raises UserError for a broken gzip file.

        A line of MAX_LINE_BYTES or more comes cut off there.
        """
        number = 0
        try:
            while line := self._text.readline(MAX_LINE_BYTES):
                number += 1
                yield number, line.removeprefix(_UTF8_MARK) if number == 1 else line
                self._skip_rest(line)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UserError(
                f"{self.name} is not a whole gzip file: {error}.",
                "Nothing was published. Copy or download the file again.",
            ) from error

    def _skip_rest(self, line: bytes) -> None:
        while len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = self._text.readline(MAX_LINE_BYTES)


@contextmanager
def open_source(path: str) -> Iterator[Source]:
    """Open a file, or the standard input for "-"; raises UserError where it cannot be read."""
    if path == STANDARD_INPUT:
        yield Source("the standard input", sys.stdin.buffer, None)  # type: ignore[arg-type]
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below; only the opening is guarded
    except OSError as error:
        raise UserError(
            f"Cannot read {path}: {error.strerror}.", "Name a file that is there."
        ) from error
    with file:
        yield Source(path, file, Path(path).stat().st_size)
