"""The counters of the partitions that this worker reads now, and how far each has come."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from parley.activity.figures import PartitionFigures
from parley.codec import InvalidRecord, LogRecord, decode_event
from services.sealer.activity import metrics
from services.sealer.activity.core import Limits, PartitionCounter


@dataclass(slots=True)
class _Reading:
    counter: PartitionCounter
    next_offset: int


class Counting:
    """What is counted, by partition; a partition that is begun again forgets what it had."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._readings: dict[int, _Reading] = {}

    @property
    def partitions(self) -> list[int]:
        """Those that are counted now."""
        return sorted(self._readings)

    def begin(self, offsets: Mapping[int, int]) -> None:
        """Count these partitions from these offsets on, and no others."""
        self.keep(())
        for partition, offset in offsets.items():
            self._readings[partition] = _Reading(PartitionCounter(self._limits), offset)
            metrics.BEGINNINGS.inc()

    def keep(self, partitions: Iterable[int]) -> None:
        """Forget all others."""
        for partition in self._readings.keys() - set(partitions):
            del self._readings[partition]
            metrics.forget_partition(partition)

    def count(self, record: LogRecord) -> None:
        """Count a record, once; what every consumer skips is skipped."""
        reading = self._readings.get(record.partition)
        if reading is None or record.offset < reading.next_offset:
            return
        reading.next_offset = record.offset + 1
        try:
            event, append_time = decode_event(record), record.append_time()
        except InvalidRecord as error:
            metrics.SKIPPED.labels(error.reason).inc()
            return
        if reading.counter.observe(event, append_time):
            metrics.MESSAGES.inc()

    def measure(self, now: datetime, ends: Mapping[int, int]) -> list[PartitionFigures]:
        """The figures of every partition; `ends` are what should be read by now."""
        return [
            self._measure(partition, reading, now, ends.get(partition, 0))
            for partition, reading in sorted(self._readings.items())
        ]

    def _measure(
        self, partition: int, reading: _Reading, now: datetime, end: int
    ) -> PartitionFigures:
        behind = max(0, end - reading.next_offset)
        metrics.LAG.labels(str(partition)).set(behind)
        return PartitionFigures(
            partition,
            reading.counter.figures(now),
            behind,
            reading.counter.is_capped(now),
        )
