"""Tests of what the doctor makes of what it sees."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parley.activity.figures import NO_WORKER, Activity, ActivityState
from parley.cli.doctor.database import (
    check_activity,
    check_consumers,
    check_jobs,
    check_passes,
)
from parley.cli.doctor.findings import Finding, Level
from parley.cli.doctor.kafka import check_replicas, check_topic
from parley.cli.doctor.machine import LITTLE_BYTES, TOO_LITTLE_BYTES, check_disk, check_reader
from parley.cli.doctor.services import check_service
from parley.cli.facts import PartitionFacts, ServiceFacts
from parley.passes.suspended import Suspended
from parley.topics import SPECS

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def partition(**changes: Any) -> PartitionFacts:
    fields = {
        "consumer": "persister-seals",
        "topic": "seals",
        "partition": 0,
        "next_offset": 10,
        "end_offset": 10,
        "has_fence": True,
        **changes,
    }
    return PartitionFacts(**fields)


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1
    return findings[0]


def test_a_consumer_at_the_end_is_well() -> None:
    assert only(check_consumers([partition()])).level is Level.OK


def test_a_consumer_that_never_read_an_empty_topic_is_well() -> None:
    nothing = partition(next_offset=0, end_offset=0, has_fence=False)
    assert only(check_consumers([nothing])).level is Level.OK


def test_a_consumer_that_moves_is_well_even_behind() -> None:
    assert only(check_consumers([partition(end_offset=99)])).level is Level.OK


def test_a_consumer_far_behind_is_warned_of() -> None:
    assert only(check_consumers([partition(end_offset=99_999)])).level is Level.WARN


def test_a_consumer_with_work_that_does_not_move_fails_and_its_service_is_named() -> None:
    found = only(check_consumers([partition(end_offset=11, seconds_since_move=60)]))
    assert found.level is Level.FAIL
    assert "Is the persister running?" in found.remedy


def test_a_consumer_that_never_read_a_topic_with_records_fails() -> None:
    never = partition(next_offset=0, has_fence=False)
    assert only(check_consumers([never])).level is Level.FAIL


def test_a_stopped_partition_fails_with_its_reason() -> None:
    found = only(check_consumers([partition(stopped_reason="offset 5 is missing")]))
    assert found.level is Level.FAIL
    assert "offset 5 is missing" in found.text


def test_a_record_stored_before_it_was_appended_shows_a_wrong_clock() -> None:
    ahead = partition(updated_at=NOW, last_append_time=NOW + timedelta(seconds=30))
    found = check_consumers([ahead])
    assert [one.level for one in found] == [Level.OK, Level.WARN]
    assert "30.0 s ahead" in found[1].text


def test_room_on_the_disk() -> None:
    assert check_disk("/", LITTLE_BYTES).level is Level.OK
    assert check_disk("/", LITTLE_BYTES - 1).level is Level.WARN
    assert check_disk("/", TOO_LITTLE_BYTES - 1).level is Level.FAIL


def test_without_the_compiled_reader_it_says_how_to_get_it() -> None:
    assert check_reader(is_compiled=True).level is Level.OK
    assert check_reader(is_compiled=False).level is Level.WARN
    assert "C compiler" in check_reader(is_compiled=False).remedy


def test_a_service_says_what_is_wrong_with_it() -> None:
    well = ServiceFacts("sealer", 1, "http://x", 0, "healthy", "")
    ill = ServiceFacts("sealer", 1, "http://x", 0, "degraded", "kafka: away")
    assert check_service(well).level is Level.OK
    assert check_service(ill).level is Level.FAIL
    assert "kafka: away" in check_service(ill).text


def test_a_live_view_that_nobody_counts_is_a_warning_that_names_the_worker() -> None:
    finding = check_activity(NO_WORKER)
    assert finding.level is Level.WARN
    assert "no activity worker has measured" in finding.text
    assert "activity worker running" in finding.remedy


def test_a_live_view_says_how_old_it_is_and_why_it_is_too_low() -> None:
    age = timedelta(seconds=1.5)
    assert check_activity(Activity(ActivityState.COUNTED, {}, NOW, age)).level is Level.OK
    behind = Activity(ActivityState.INCOMPLETE, {}, NOW, age, ("7 records are still to be read",))
    assert check_activity(behind).level is Level.WARN
    assert "measured 1.5 s ago, too low: 7 records" in check_activity(behind).text


WANTED = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}
WELL = {**WANTED, "max.message.bytes": "1048588"}


def test_a_topic_as_it_is_created_is_well() -> None:
    assert check_topic("events", SPECS[0], WANTED, WELL) == []


@pytest.mark.parametrize(
    ("change", "level", "remedy"),
    [
        (
            {"message.timestamp.type": "CreateTime"},
            Level.FAIL,
            "message.timestamp.type=LogAppendTime",
        ),
        ({"retention.ms": "86400000"}, Level.WARN, "docs/topics.md"),
        ({"max.message.bytes": "100000"}, Level.FAIL, "max.message.bytes=1001024"),
        ({"max.message.bytes": "0"}, Level.FAIL, "--abort"),
    ],
)
def test_a_topic_that_was_changed_is_named_with_what_to_do(
    change: dict[str, str], level: Level, remedy: str
) -> None:
    found = only(check_topic("events", SPECS[0], WANTED, {**WELL, **change}))
    assert found.level is level
    assert remedy in found.remedy


def test_partitions_without_a_leader_fail_and_missing_copies_are_warned_of() -> None:
    whole = {"partition": 0, "leader": 1, "replicas": [1, 2], "isr": [1, 2]}
    assert check_replicas("events", [whole]) == []
    assert only(check_replicas("events", [{**whole, "leader": -1}])).level is Level.FAIL
    assert only(check_replicas("events", [{**whole, "isr": [1]}])).level is Level.WARN


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("the broker lost the end of its log", "parley topics repair"),
        ("records are missing from it, which retention deleted before", "has read that far"),
        ("the topic was made anew since this database read it", "Restore the former topic"),
        ("this database follows x, not y", "topic's name"),
        ("rule 2; a later release of Parley knows it", "Start that release"),
        ("something new", "faults-and-dead-letters"),
    ],
)
def test_a_partition_that_stands_still_is_told_with_its_remedy(reason: str, remedy: str) -> None:
    found = only(check_consumers([partition(stopped_reason=reason)]))
    assert (found.level, remedy in found.remedy) == (Level.FAIL, True)


def test_a_service_whose_database_is_full_is_told_to_make_room() -> None:
    detail = "batches: parley.events.v1/3: tried again for 42 s: DiskFullError (53100): x"
    found = check_service(ServiceFacts("persister", 1, "http://x", 0, "degraded", detail))
    assert "Make room where PostgreSQL" in found.remedy


def test_jobs_that_wait_for_somebody_are_named_with_their_reason() -> None:
    found = only(check_jobs([{"state": "parked", "reason": "budget", "jobs": 3}]))
    assert (found.level, "3 jobs, because of budget" in found.text) == (Level.WARN, True)
    assert only(check_jobs([])).level is Level.OK


def test_passes_that_are_not_there_or_suspended_are_named() -> None:
    assert "parley passes apply" in only(check_passes(0, [])).remedy
    suspended = Suspended("f" * 64, "summary", 2, "bad_key", NOW)
    found = only(check_passes(3, [suspended]))
    assert (found.level, found.text) == (
        Level.FAIL,
        "summary version 2 is suspended: bad_key",
    )
    assert "parley passes resume summary" in found.remedy


def test_a_pass_that_some_analyzers_leave_to_others_is_a_warning() -> None:
    found = only(check_passes(3, [Suspended("f" * 64, "summary", 2, "other_fingerprint", NOW, 2)]))
    assert found.level is Level.WARN
    assert "is suspended by 2 analyzers: other_fingerprint" in found.text
    assert "parley passes diff --shipped" in found.remedy


def test_where_no_pass_is_suspended_all_is_well() -> None:
    assert only(check_passes(3, [])).level is Level.OK
