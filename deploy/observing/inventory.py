"""Lists every metric that the services export, as the code defines it."""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

from prometheus_client import REGISTRY

import services

PREFIX: Final = "parley_"


class Exported(NamedTuple):
    """A metric by the name under which Prometheus knows it; a histogram's without `_bucket`."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]


class Section(NamedTuple):
    """Metrics of one origin; `prefixes` begin their names."""

    title: str
    prefixes: tuple[str, ...]


SECTIONS: Final = (
    Section("Every service", ("parley_event_loop_",)),
    Section(
        "Every consumer of the log: persister, sealer, analyzer",
        ("parley_consumer_", "parley_outbox_", "parley_dead_letters_"),
    ),
    Section("Whoever follows the config topic: gateway, analyzer", ("parley_config_",)),
    Section("The log's disk, told by every persister", ("parley_log_",)),
    Section("Gateway", ("parley_gateway_",)),
    Section("Persister", ("parley_persister_",)),
    Section("Sealer", ("parley_sealer_",)),
    Section("Activity", ("parley_activity_",)),
    Section("Analyzer", ("parley_analyzer_", "parley_model_", "parley_backfill_")),
    Section("Analyzer, for webhooks", ("parley_webhook_", "parley_webhooks_")),
    Section("Others", (PREFIX,)),
)


@cache
def exported() -> Sequence[Exported]:
    """Every metric of Parley's own, by name."""
    _import_services()
    return sorted(one for one in _registered() if one.name.startswith(PREFIX))


def series_names() -> frozenset[str]:
    """The names under which Prometheus stores series of them."""
    names: set[str] = set()
    for one in exported():
        endings = ("_bucket", "_count", "_sum") if one.kind == "histogram" else ("",)
        names.update(one.name + ending for ending in endings)
    return frozenset(names)


def section_of(metric: Exported) -> Section:
    """Where its page lists it: the first that fits."""
    return next(one for one in SECTIONS if metric.name.startswith(one.prefixes))


def _import_services() -> None:
    # A metric is there once its module is imported, and a service imports some of them late.
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _registered() -> Iterator[Exported]:
    # What has no label values yet is not collected; only the registry itself knows of it.
    for collector in list(REGISTRY._collector_to_names):
        labels = getattr(collector, "labels", None)
        if not isinstance(labels, tuple):
            labels = tuple(getattr(collector, "_labelnames", ()))
        for family in getattr(collector, "describe", lambda: ())():
            ending = "_total" if family.type == "counter" else ""
            yield Exported(family.name + ending, family.type, family.documentation, labels)
