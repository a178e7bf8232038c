"""Every metric obeys the rules for names, units, help and labels, and the page lists it."""

import re

import pytest

from deploy.observing.inventory import Exported, exported
from deploy.observing.page import PAGE, page

# Anything but a base unit, and abbreviations of one.
BAD_UNITS = {
    *("ms", "us", "ns", "sec", "secs", "s", "milliseconds", "microseconds", "minutes", "hours"),
    *("days", "kb", "mb", "gb", "kilobytes", "megabytes", "percent", "pct"),
}
TYPES = {"counter", "gauge", "histogram", "summary", "info"}
# What a label may never hold: it would tell of people, and grow without a bound.
IDS = {
    *("tenant", "conversation", "session", "user", "client", "message", "segment", "event"),
    *("address", "ip", "channel"),
}
RESERVED = {"le", "quantile", "job", "instance", "__name__"}


def problems(metric: Exported) -> list[str]:
    """What is wrong with a metric, by https://prometheus.io/docs/practices/naming/."""
    words = metric.name.split("_")
    found = {
        "is not snake_case": not re.fullmatch(r"parley(_[a-z][a-z0-9]*)+", metric.name),
        "has no base unit": bool(BAD_UNITS & set(words)),
        "names its type": bool(TYPES & set(words)),
        "is a counter and not _total": metric.kind == "counter" and words[-1] != "total",
        "is _total and no counter": metric.kind != "counter" and words[-1] == "total",
        "ends as a part of a histogram": words[-1] in ("count", "sum", "bucket", "created"),
        "is of no kind that is used": metric.kind not in ("counter", "gauge", "histogram"),
        "is a histogram without a unit": metric.kind == "histogram"
        and words[-1] not in ("seconds", "bytes", "records", "messages", "tokens", "ratio"),
        "has no sentence for help": not re.fullmatch(r"[A-Z0-9][^\n|]+[^.\n]\.", metric.help),
    }
    for label in metric.labels:
        parts = set(label.split("_"))
        found[f"has the bad label {label}"] = bool(
            not re.fullmatch(r"[a-z][a-z0-9_]*", label) or label in RESERVED or parts & IDS
        )
    return [f"{metric.name} {problem}" for problem, holds in found.items() if holds]


def test_every_metric_obeys_the_rules() -> None:
    assert len(exported()) > 60
    assert [problem for one in exported() for problem in problems(one)] == []


@pytest.mark.parametrize(
    "metric",
    [
        Exported("parley_ack_ms", "gauge", "It takes so long.", ()),
        Exported("parley_frames", "counter", "Frames.", ()),
        Exported("parley_frames_total", "gauge", "Frames.", ()),
        Exported("parley_frames_counter_total", "counter", "Frames.", ()),
        Exported("parley_wait", "histogram", "It takes so long.", ()),
        Exported("parley_ackSeconds", "gauge", "It takes so long.", ()),
        Exported("ack_seconds", "gauge", "It takes so long.", ()),
        Exported("parley_ack_seconds", "gauge", "", ()),
        Exported("parley_ack_seconds", "gauge", "so long", ()),
        Exported("parley_ack_seconds", "gauge", "It takes so long.", ("tenant_id",)),
        Exported("parley_ack_seconds", "gauge", "It takes so long.", ("conversation",)),
        Exported("parley_ack_seconds", "gauge", "It takes so long.", ("le",)),
        Exported("parley_ack_count", "gauge", "It takes so long.", ()),
        Exported("parley_ack_info", "info", "It takes so long.", ()),
    ],
    ids=lambda one: f"{one.name}-{one.kind}-{one.help}-{'-'.join(one.labels)}",
)
def test_a_metric_that_breaks_a_rule_is_found(metric: Exported) -> None:
    assert problems(metric)


def test_a_metric_that_breaks_none_is_not() -> None:
    good = Exported("parley_ack_seconds", "histogram", "It takes so long.", ("pass_name",))
    assert problems(good) == []


def test_no_two_metrics_say_the_same() -> None:
    helps = [one.help for one in exported()]
    assert len(set(helps)) == len(helps)


def test_what_operations_are_promised_is_exported() -> None:
    names = {one.name for one in exported()}
    assert names >= {
        *("parley_gateway_connections", "parley_gateway_frames_total"),
        *("parley_gateway_ack_seconds", "parley_gateway_unacknowledged_events"),
        *("parley_gateway_events_total", "parley_gateway_resumes_total"),
        *("parley_gateway_evictions_total", "parley_consumer_lag_records"),
        *("parley_consumer_lag_seconds", "parley_consumer_batch_records"),
        *("parley_consumer_batch_seconds", "parley_consumer_retries_total"),
        *("parley_consumer_fence_losses_total", "parley_dead_letters_total"),
        *("parley_persister_ledger_residue", "parley_persister_receipt_to_row_seconds"),
        *("parley_sealer_watermark_age_seconds", "parley_sealer_watermark_timestamp_seconds"),
        *("parley_sealer_open_windows", "parley_sealer_seals_total"),
        *("parley_sealer_revisions_total", "parley_sealer_retractions_total"),
        *("parley_sealer_seal_delay_seconds", "parley_sealer_overdue_seconds"),
        *("parley_analyzer_jobs", "parley_analyzer_parked_jobs"),
        *("parley_outbox_oldest_seconds", "parley_event_loop_lag_seconds"),
        *("parley_log_disk_usable_bytes", "parley_log_disk_size_bytes"),
    }


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), "run `make metrics`"
