"""A broker of a test's own, whose log can be cut off on the disk."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from parley.local.stack import Stack
from parley.settings import Settings
from tests.support.processes import ROOT

# Of a batch: its first offset, and how many bytes follow; further on how many records it has.
_HEAD = struct.Struct(">qi")
_LAST_OFFSET_DELTA = struct.Struct(">i")
_DELTA_AT = 23


class OwnBroker:
    """An embedded stack that only this test uses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = Stack(folder, cache_dir=ROOT / ".parley")
        endpoints = self.stack.up(print)
        self.settings = Settings(
            kafka_bootstrap=endpoints.kafka_bootstrap,
            database_url=SecretStr(endpoints.database_url),
            state_dir=folder / "services",
            session_timeout=timedelta(seconds=3),
            http_port=0,
        )

    def cut(self, topic: str, partition: int, count: int) -> int:
        """Stop it, cut off at least so many of the partition's last records, start it again.

        Returns how many records are left.
        """
        self.stack.kafka.down()
        folder = self.folder / "kafka" / "data" / f"{topic}-{partition}"
        [log] = folder.glob("*.log")
        batches = list(_batches(log.read_bytes()))
        end = batches[-1][2]
        kept = [one for one in batches if one[2] <= end - count]
        with log.open("r+b") as file:
            file.truncate(kept[-1][1] if kept else 0)
        for pattern in ("*.index", "*.timeindex", "*.snapshot"):
            for path in folder.glob(pattern):
                path.unlink()
        (self.folder / "kafka" / "data" / ".kafka_cleanshutdown").unlink(missing_ok=True)
        self.stack.kafka.up(print)
        return kept[-1][2] if kept else 0


def _batches(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Each batch of a log file: where it begins and ends, and the offset after its last record."""
    at = 0
    while at < len(content):
        first, length = _HEAD.unpack_from(content, at)
        if length <= 0:
            return
        (delta,) = _LAST_OFFSET_DELTA.unpack_from(content, at + _DELTA_AT)
        end = at + _HEAD.size + length
        yield at, end, first + delta + 1
        at = end


@contextmanager
def own_broker(folder: Path) -> Iterator[OwnBroker]:
    """Stopped, with all that it stored, at the end."""
    broker = OwnBroker(folder)
    try:
        yield broker
    finally:
        broker.stack.down()
