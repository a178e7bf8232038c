"""The loop's own counters tell what prometheus_client's would."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from parley.tallies import Durations, Tallies

BOUNDS = (0.001, 0.5, 1, 10)


def test_tallies_are_exported_as_a_counter_is() -> None:
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    counter = Counter("frames_total", "Frames.", ["type", "outcome"], registry=theirs)
    tallies = Tallies("frames_total", "Frames.", ["type", "outcome"], ours)
    for labels in [("ping", "ok"), ("end", "ok"), ("ping", "ok"), ("end", "draining")]:
        counter.labels(*labels).inc()
        tallies.add(*labels)
    assert _exported(ours) == _exported(theirs)
    assert 'frames_total{outcome="ok",type="ping"} 2.0' in _exported(ours)


def test_what_is_known_beforehand_is_exported_as_0() -> None:
    registry = CollectorRegistry()
    tallies = Tallies("events_total", "Events.", ["outcome"], registry, known=[("lost",)])
    assert 'events_total{outcome="lost"} 0.0' in _exported(registry)
    tallies.add_many(3, "lost")
    tallies.add("lost")
    held = tallies.of("lost")
    held.count += 2
    tallies.add("lost")
    held.count += 1
    assert 'events_total{outcome="lost"} 8.0' in _exported(registry)


def test_durations_are_exported_as_a_histogram_is() -> None:
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram("ack_seconds", "Seconds.", buckets=BOUNDS, registry=theirs)
    durations = Durations("ack_seconds", "Seconds.", BOUNDS, ours)
    assert _exported(ours) == _exported(theirs)
    many = (0.75, 0.0, 1_000, 0.001, 0.5, 0.0011, 10, 10.1)
    for seconds in (*many, *many):
        histogram.observe(seconds)
    for seconds in many:
        durations.observe(seconds)
    durations.observe_many(many)
    durations.observe_many([])
    assert _exported(ours) == _exported(theirs)
    assert 'ack_seconds_bucket{le="0.5"} 8.0' in _exported(ours)


def _exported(registry: CollectorRegistry) -> list[str]:
    # When a counter was made is told by theirs alone.
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if "_created" not in line)
