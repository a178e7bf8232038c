"""Sorts more records than memory holds: sorted runs in nameless temporary files, then merged."""

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final

import orjson

from parley.errors import UserError

RUN_RECORDS: Final = 100_000
RUN_BYTES: Final = 32 * 1024 * 1024
# Every run is an open file; that many are merged into one before another is begun.
MAX_RUNS: Final = 32

Record = list[Any]


class ExternalSorter:
    """Sorts JSON arrays by their elements, of which the first ones must tell any two apart.

    The files have no names, so the system frees them whatever ends the process.
    """

    def __init__(self, run_records: int = RUN_RECORDS) -> None:
        self._run_records = run_records
        self._pending: list[Record] = []
        self._pending_bytes = 0
        self._runs: list[IO[bytes]] = []

    def add(self, record: Record, size_bytes: int) -> None:
        """Take a record in; `size_bytes` is about what it holds."""
        self._pending.append(record)
        self._pending_bytes += size_bytes
        if len(self._pending) >= self._run_records or self._pending_bytes >= RUN_BYTES:
            self._spill()

    def drain(self) -> Iterator[Record]:
        """All records in order, once; the sorter is empty afterwards."""
        self._pending.sort()
        runs, pending = self._runs, self._pending
        self._runs, self._pending, self._pending_bytes = [], [], 0
        yield from heapq.merge(pending, *(read_records(run) for run in runs))
        for run in runs:
            run.close()

    def close(self) -> None:
        """Free the disk, where it was not drained."""
        for run in self._runs:
            run.close()

    def _spill(self) -> None:
        if len(self._runs) == MAX_RUNS:
            merged = write_records(self.drain())
            self._runs.append(merged)
            return
        self._pending.sort()
        self._runs.append(write_records(self._pending))
        self._pending, self._pending_bytes = [], 0


def write_records(records: Iterable[Record]) -> IO[bytes]:
    """A nameless file of the records; raises UserError where the disk is full."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        file.writelines(orjson.dumps(record) + b"\n" for record in records)
        file.flush()
    except OSError as error:
        file.close()
        raise UserError(
            f"Cannot write to {tempfile.gettempdir()}: {error.strerror}.",
            "An import needs about the size of its file there. Make room, or set TMPDIR.",
        ) from error
    return file


def read_records(file: IO[bytes]) -> Iterator[Record]:
    """The records of a file that `write_records` made, from its beginning."""
    file.seek(0)
    for line in file:
        yield orjson.loads(line)
