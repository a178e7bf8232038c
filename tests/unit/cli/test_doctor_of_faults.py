"""What each row of the fault table does to the product is named by the doctor, with a remedy."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from parley.cli.doctor.database import catching_up, check_consumers
from parley.cli.doctor.findings import Finding, Level, check_latency
from parley.cli.doctor.kafka import check_log_disks
from parley.cli.doctor.services import check_service
from parley.cli.doctor.waiting import (
    check_backfills,
    check_locks,
    check_sealing,
    check_webhooks,
)
from parley.cli.facts import PartitionFacts, ServiceFacts
from parley.log.disk import LogDir
from tests.faults.rows import ROWS

NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)


def service(name: str, status: str, detail: str) -> list[Finding]:
    return [check_service(ServiceFacts(name, 7, "http://127.0.0.1:1", 0, status, detail))]


def stuck(consumer: str, **changes: Any) -> list[Finding]:
    facts = {"end_offset": 9, "has_fence": True, "seconds_since_move": 60.0, **changes}
    return check_consumers([PartitionFacts(consumer, "events", 0, 3, **facts)])


def waiting(reason: str) -> list[Finding]:
    detail = f"batches: parley.events.v1/3: tried again for 42 s: {reason}"
    return service("persister", "degraded", detail)


def backfill(**changes: Any) -> list[Finding]:
    row = {"run_id": "3f2a77aa-0", "state": "running", "reason": "", "seconds": 90.0}
    return check_backfills([{**row, "is_read": False, **changes}])


def window(overdue: timedelta) -> list[Finding]:
    return [check_sealing([of_partition(0, overdue)], NOW)]


def of_partition(number: int, overdue: timedelta) -> dict[str, Any]:
    return {"partition": number, "open": 9, "due": 2, "next_deadline": NOW - overdue}


REFUSED: Final = "<urlopen error [Errno 111] Connection refused>"
# While the row's fault lasts: what the doctor finds, and words that name it.
NAMED: Final[dict[str, list[tuple[list[Finding], str]]]] = {
    "persister-kill": [
        (service("persister", "unreachable", REFUSED), "Connection refused"),
        (stuck("persister"), "do not move"),
    ],
    "persister-failpoints": [(service("persister", "unreachable", REFUSED), "Connection refused")],
    "persister-pause": [(service("persister", "unreachable", "timed out"), "timed out")],
    "persister-rebalance": [(stuck("persister"), "do not move")],
    "postgres-stop": [(waiting("ConnectionRefusedError: Connection refused"), "tried again")],
    "postgres-disk-full": [(waiting("DiskFullError (53100): could not extend"), "DiskFull")],
    "postgres-reset": [(waiting("ConnectionDoesNotExistError: closed"), "ConnectionDoesNotExist")],
    "postgres-stall": [(waiting("TimeoutError"), "TimeoutError")],
    "postgres-latency": [([check_latency("database", "it", 2.0)], "answers in 2000 ms")],
    "kafka-reset": [(service("gateway", "degraded", "kafka: KafkaConnectionError"), "kafka")],
    "kafka-stall": [(service("gateway", "degraded", "kafka: TimeoutError"), "kafka: Timeout")],
    "kafka-latency": [([check_latency("kafka", "broker:9092", 2.0)], "answers in 2000 ms")],
    "commit-reply": [(waiting("ConnectionDoesNotExistError: closed"), "tried again for 42 s")],
    "kafka-away": [(service("gateway", "unhealthy", "kafka: KafkaConnectionError"), "kafka")],
    "access-without-kafka": [
        (service("gateway", "degraded", "kafka: KafkaConnectionError"), "kafka")
    ],
    "stack-restarts": [(waiting("CannotConnectNowError: starting up"), "CannotConnectNow")],
    "import-under-kills": [(stuck("persister"), "do not move")],
    "gateways": [(service("gateway", "unreachable", REFUSED), "Connection refused")],
    "poison": [
        (stuck("persister", stopped_reason="101 in a row are unusable: a wrong deploy?"), "wrong"),
    ],
    "sealer-kill": [
        (service("sealer", "unreachable", REFUSED), "Connection refused"),
        # Where nobody speaks no record waits, and still somebody has to seal.
        (window(timedelta(seconds=61)), "2 segments should be sealed"),
    ],
    "sealer-pause": [(service("sealer", "unreachable", "timed out"), "timed out")],
    "sealer-open-windows": [(window(timedelta(minutes=5)), "since 300 s")],
    "analyzer-kill": [(stuck("analyzer"), "do not move")],
    "backfill-kill": [(backfill(), "no analyzer is at 3f2a77aa")],
}
# Nothing is wrong while they run, or nothing that anybody could do something about.
HARMLESS: Final = {
    "any-order": "events repeat and come in any order, as they may",
    "reversed-keys": "deadlocks are tried again within a second",
    "client-clocks": "a client's clock is corrected message by message",
    "slow-readers": "a client that does not read is let go, and counted by the gateway",
    "simulated-fence": "a world in memory",
    "sealing-properties": "a world in memory",
    "sealing-replays": "the log is read again beside the product",
    "backfill-latency": "a measurement",
    "mutations": "the code is broken, and a test fails",
}


def test_every_row_is_named_or_harmless() -> None:
    assert set(NAMED) | set(HARMLESS) == set(ROWS)
    assert not set(NAMED) & set(HARMLESS)


@pytest.mark.parametrize("row", NAMED)
def test_what_a_row_does_is_named_with_a_remedy(row: str) -> None:
    for findings, words in NAMED[row]:
        (found,) = findings
        assert found.level is not Level.OK
        assert words in found.text
        assert len(found.remedy) > 10


def test_what_a_service_says_of_itself_has_a_remedy_of_its_own() -> None:
    known = {
        "batches: tried again for 3 s: LockNotAvailableError (55P03)": "line on locks",
        "jobs: gpt-4o-mini does not answer": "provider-down.md",
        "webhooks: PARLEY_WEBHOOK_KEY is not set: 2 wait (crm)": "rotate",
        "webhooks: 1 disabled by failures: see `parley webhooks list`": "enable NAME",
    }
    for detail, remedy in known.items():
        assert remedy in service("analyzer", "degraded", detail)[0].remedy, detail


def test_a_log_that_lost_its_end_is_given_back_by_a_repair() -> None:
    for reason in ("offset 5 is missing from the log: if its end was lost, …", "lost the end"):
        assert "topics repair" in stuck("persister", stopped_reason=reason)[0].remedy


def test_segments_may_wait_a_minute_for_their_seal() -> None:
    assert window(timedelta(seconds=59))[0].level is Level.OK
    assert check_sealing([], NOW).text == "0 segments open, none overdue"


def test_segments_that_the_sealer_has_still_to_get_to_are_not_overdue() -> None:
    rows = [of_partition(number, timedelta(minutes=3 + number)) for number in (0, 1)]
    behind = check_sealing(rows, NOW, {0, 1})
    assert behind.level is Level.WARN
    assert behind.text == "catching up: 4 segments will be sealed, the first one since 240 s"
    # In one partition it has read all that there is, and sealed nothing.
    left = check_sealing(rows, NOW, {1})
    assert (left.level, left.text) == (
        Level.FAIL,
        "2 segments should be sealed, the first one since 180 s",
    )


def test_a_sealer_catches_up_where_it_has_records_to_read_and_reads_them() -> None:
    def reads(number: int, end: int, moved_s: float, **changes: Any) -> PartitionFacts:
        facts = {"has_fence": True, "seconds_since_move": moved_s, **changes}
        return PartitionFacts("sealer", "events", number, 3, end, **facts)

    partitions = [
        reads(0, 9, 1.0),
        reads(1, 3, 1.0),
        reads(2, 9, 60.0),
        reads(3, 9, 1.0, has_fence=False),
        reads(4, 9, 1.0, stopped_reason="offset 3 is missing from the log"),
        PartitionFacts("persister", "events", 5, 3, 9, has_fence=True),
    ]
    assert catching_up(partitions) == {0}


def test_backfills_that_go_on_or_were_paused_by_somebody_are_well() -> None:
    for fields in ({"is_read": True}, {"seconds": 5.0}, {"state": "paused"}):
        assert [one.level for one in backfill(**fields)] == [Level.OK], fields
    assert check_backfills([])[0].text == "0 backfills under way, none stuck"


def test_backfills_that_stand_still_say_why() -> None:
    (spent,) = backfill(state="paused", reason="its budget is spent")
    assert (spent.level, "its budget is spent" in spent.text) == (Level.WARN, True)
    assert "parley backfill resume 3f2a77aa" in spent.remedy
    (stopped,) = backfill(state="stopped", reason="seals is not the log that it began with")
    assert (stopped.level, "is not the log" in stopped.text) == (Level.FAIL, True)


def test_webhooks_that_are_disabled_or_wait_for_an_hour_are_warned_of() -> None:
    well = {"waiting": 3, "oldest_seconds": 3_600.0, "disabled": 0}
    assert [one.level for one in check_webhooks(well)] == [Level.OK]
    ill = check_webhooks({"waiting": 3, "oldest_seconds": 7_200.0, "disabled": 1})
    assert [one.level for one in ill] == [Level.WARN, Level.WARN]
    assert "1 webhook disabled" in ill[0].text
    assert "the oldest for 2.0 h" in ill[1].text


def test_who_holds_a_lock_for_long_is_named() -> None:
    row = {"pid": 41, "login": "ada", "application": "psql", "state": "idle in transaction"}
    (held,) = check_locks([{**row, "waiting": 2, "seconds": 3.0}])
    assert held.level is Level.WARN
    assert "2 sessions wait since 3 s for process 41 (ada, psql, idle in transaction)" in held.text
    assert check_locks([{**row, "waiting": 2, "seconds": 1.0}])[0].level is Level.OK


def test_the_brokers_disks_are_judged_as_the_alerts_judge_them() -> None:
    def disk(usable: int, size: int = 100) -> Level:
        return check_log_disks({1: [LogDir("/log", size, usable, {})]})[0].level

    assert (disk(15), disk(14), disk(5), disk(4)) == (
        *(Level.OK, Level.WARN, Level.WARN),
        Level.FAIL,
    )
    # A broker that cannot ask its disk says -1.
    assert disk(-1, -1) is Level.OK
    assert check_log_disks({})[0].level is Level.OK
