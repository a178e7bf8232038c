"""Counters and histograms of what happens with every frame: without locks, for the loop alone.

prometheus_client's own take a lock and several calls each time, since any thread may use them.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry


class Tally:
    """How often one thing happened; for who counts it so often that to name it takes long."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Tallies(Collector):
    """How often something happened, by its labels."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        registry: CollectorRegistry = REGISTRY,
        *,
        known: Sequence[tuple[str, ...]] = (),
    ) -> None:
        """`known` are exported as 0 before they happen, so that a ratio of them can be formed."""
        self._name = name
        self._documentation = documentation
        self.labels = tuple(labels)
        self._tallies: dict[tuple[str, ...], Tally] = {one: Tally() for one in known}
        registry.register(self)

    def add(self, *labels: str) -> None:
        """It happened once more."""
        self.of(*labels).count += 1

    def add_many(self, count: int, *labels: str) -> None:
        """It happened so often more."""
        self.of(*labels).count += count

    def of(self, *labels: str) -> Tally:
        """The one with these labels, to be counted up; from now on it is exported."""
        tally = self._tallies.get(labels)
        if tally is None:
            tally = self._tallies[labels] = Tally()
        return tally

    def describe(self) -> Iterator[Metric]:
        """For the registry, and for the page of all metrics."""
        yield CounterMetricFamily(self._name, self._documentation, labels=self.labels)

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self.labels)
        for labels, tally in self._tallies.items():
            family.add_metric(labels, tally.count)
        yield family


class Durations(Collector):
    """A histogram of seconds; `bounds` are the upper ends of its buckets, in order."""

    def __init__(
        self,
        name: str,
        documentation: str,
        bounds: Sequence[float],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum_s = 0.0
        registry.register(self)

    def observe(self, seconds: float) -> None:
        """It took so long."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum_s += seconds

    def observe_many(self, every: Iterable[float]) -> None:
        """Each of them took so long."""
        ordered = sorted(every)
        former = 0
        for number, bound in enumerate((*self._bounds, math.inf)):
            end = bisect_right(ordered, bound, former)
            self._counts[number] += end - former
            former = end
        self._sum_s += sum(ordered)

    def describe(self) -> Iterator[Metric]:
        """For the registry, and for the page of all metrics."""
        yield HistogramMetricFamily(self._name, self._documentation)

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        ends = [*map(str, map(float, self._bounds)), "+Inf"]
        buckets = list(zip(ends, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets, self._sum_s)
