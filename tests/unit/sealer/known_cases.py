"""Cases of session windows that other projects test themselves with, and what is sealed here.

Times are milliseconds. Their streams' time is our watermark; a message with a gap of its own stands
for a window that their test adds by its bounds. Where `differs` is empty the segments are theirs.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple


class Said(NamedTuple):
    """A message of a conversation; without a `gap` of its own it has the case's."""

    key: str
    time: int
    gap: int | None = None


class Mark(NamedTuple):
    """The watermark is here now."""

    time: int


Steps = tuple[Said | Mark, ...]


class Sealed(NamedTuple):
    """A seal: first and last message, how many, which revision, how many others it retracts."""

    key: str
    first: int
    last: int
    message_count: int
    revision: int = 1
    retracted: int = 0
    cause: str = "idle"


@dataclass(frozen=True, slots=True)
class Case:
    """`project`, its test class and method; `grace` is their lateness where they have one."""

    project: str
    method: str
    gap: int
    steps: Steps
    seals: tuple[Sealed, ...]
    differs: str = ""
    grace: int = 0
    max_messages: int = 5_000


def said(key: str, *times: int) -> Steps:
    return tuple(Said(key, time) for time in times)


def windows(*bounds: tuple[int, int]) -> Steps:
    return tuple(Said("k", start, end - start) for start, end in bounds)


GAP: Final = 300_000
LATE: Final = "late"
_KAFKA: Final = "KStreamSessionWindowAggregateProcessorTest."
_SET: Final = "MergingWindowSetTest."
_OPERATOR: Final = "WindowOperatorTest."
_FLINK_LATE: Final[Steps] = (
    Said("k", 1_000),
    Mark(1_999),
    Said("k", 2_000),
    Mark(4_998),
    *said("k", 4_500, 8_500),
    Mark(7_400),
    Said("k", 7_000),
    Mark(11_501),
    Said("k", 11_600),
    Mark(14_600),
    Said("k", 10_000),
)

KAFKA: Final = (
    Case(
        "Kafka Streams",
        _KAFKA + "shouldCreateSingleSessionWhenWithinGap",
        GAP,
        said("john", 0, 500),
        (Sealed("john", 0, 500, 2),),
    ),
    Case(
        "Kafka Streams",
        _KAFKA + "shouldMergeSessions",
        GAP,
        said("mel", 0, GAP + 1, GAP // 2),
        (Sealed("mel", 0, GAP + 1, 3),),
    ),
    Case(
        "Kafka Streams",
        _KAFKA + "shouldUpdateSessionIfTheSameTime",
        GAP,
        said("mel", 0, 0),
        (Sealed("mel", 0, 0, 2),),
    ),
    Case(
        "Kafka Streams",
        _KAFKA + "shouldHaveMultipleSessionsForSameIdWhenTimestampApartBySessionGap",
        GAP,
        said("mel", 0, *[GAP + 1] * 2, *[2 * GAP + 2] * 3),
        (
            Sealed("mel", 0, 0, 1),
            Sealed("mel", GAP + 1, GAP + 1, 2),
            Sealed("mel", 2 * GAP + 2, 2 * GAP + 2, 3),
        ),
    ),
    Case(
        "Kafka Streams",
        _KAFKA + "shouldRemoveMergedSessionsFromStateStore",
        GAP,
        said("a", 0, 100),
        (Sealed("a", 0, 100, 2),),
    ),
    Case(
        "Kafka Streams",
        _KAFKA + "shouldHandleMultipleSessionsAndMerging",
        GAP,
        (
            *(Said(key, 0) for key in "abcd"),
            Said("d", GAP // 2),
            *(Said(key, GAP + 1) for key in "ab"),
            *(Said(key, GAP + 1 + GAP // 2) for key in "ac"),
        ),
        (
            Sealed("a", 0, 0, 1),
            Sealed("b", 0, 0, 1),
            Sealed("c", 0, 0, 1),
            Sealed("d", 0, GAP // 2, 2),
            Sealed("b", GAP + 1, GAP + 1, 1),
            Sealed("a", GAP + 1, GAP + 1 + GAP // 2, 2),
            Sealed("c", GAP + 1 + GAP // 2, GAP + 1 + GAP // 2, 1),
        ),
    ),
    Case(
        "Kafka Streams",
        _KAFKA + "shouldGetAggregatedValuesFromValueGetter",
        GAP,
        said("a", 0, GAP + 1, GAP + 1),
        (Sealed("a", 0, 0, 1), Sealed("a", GAP + 1, GAP + 1, 2)),
    ),
    Case(
        "Kafka Streams",
        _KAFKA + "shouldImmediatelyForwardNewSessionWhenNonCachedStore",
        GAP,
        tuple(Said(key, 0) for key in "abc"),
        tuple(Sealed(key, 0, 0, 1) for key in "abc"),
        "they forward at once; here a segment is published when it is over",
    ),
    Case(
        "Kafka Streams",
        _KAFKA + "shouldImmediatelyForwardRemovedSessionsWhenMerging",
        GAP,
        said("a", 0, 5),
        (Sealed("a", 0, 5, 2),),
        "they take [0, 0] back, which was forwarded; here it was not published yet",
    ),
    Case(
        "Kafka Streams",
        _KAFKA + "shouldLogAndMeterWhenSkippingLateRecordWithZeroGrace",
        10,
        (
            *(Said("dummy", 0), Said("OnTime1", 0)),
            Mark(1),
            *(Said("dummy", 1), Said("Late1", 0)),
        ),
        (Sealed("Late1", 0, 0, 1), Sealed("OnTime1", 0, 0, 1), Sealed("dummy", 0, 1, 2)),
        "they drop Late1: a window closes there without its gap; here lateness has no limit",
    ),
    Case(
        "Kafka Streams",
        _KAFKA + "shouldLogAndMeterWhenSkippingLateRecordWithNonzeroGrace",
        10,
        (
            *(Said("dummy", 0), Said("OnTime1", 0)),
            *(Mark(1), Said("dummy", 1), Said("OnTime2", 0)),
            *(Mark(2), Said("dummy", 2), Said("Late1", 0)),
        ),
        (
            *(Sealed(key, 0, 0, 1) for key in ("Late1", "OnTime1", "OnTime2")),
            Sealed("dummy", 0, 2, 3),
        ),
        "they drop Late1",
        grace=1,
    ),
    Case(
        "Kafka Streams",
        "SuppressScenarioTest.shouldSupportFinalResultsForSessionWindows",
        5,
        (
            *(Said("k1", 0), Mark(5), Said("k1", 5), Said("k1", 1)),
            *(Mark(6), Said("k2", 6), Said("k1", 5), Mark(30), Said("k1", 30)),
        ),
        (
            Sealed("k1", 0, 0, 1),
            Sealed("k1", 0, 5, 4, revision=2, cause=LATE),
            Sealed("k2", 6, 6, 1),
            Sealed("k1", 30, 30, 1),
        ),
        "they close [0, 5] at 6, without its gap, and drop the second message of 5; "
        "here [0, 0] is over at 5, since all that is due closes before a record is applied",
    ),
)

FLINK: Final = (
    Case(
        "Flink",
        "EventTimeSessionWindowsTest.testMergeConsecutiveWindows",
        5_000,
        windows((0, 1), (1, 2), (2, 3), (4, 5), (5, 6)),
        (Sealed("k", 0, 2, 3), Sealed("k", 4, 5, 2)),
    ),
    Case(
        "Flink",
        "EventTimeSessionWindowsTest.testMergeCoveringWindow",
        5_000,
        windows((1, 1), (0, 2), (4, 7), (5, 6)),
        (Sealed("k", 0, 1, 2), Sealed("k", 4, 5, 2)),
    ),
    Case(
        "Flink",
        "SessionWindowAssignerTest.testMergeConsecutiveWindows",
        5_000,
        windows((0, 1), (2, 3), (4, 5), (7, 8), (1, 2)),
        (Sealed("k", 0, 2, 3), Sealed("k", 4, 4, 1), Sealed("k", 7, 7, 1)),
    ),
    Case(
        "Flink",
        "SessionWindowAssignerTest.testMergeCoveringWindow",
        5_000,
        windows((1, 4), (5, 7), (9, 10), (3, 6)),
        (Sealed("k", 1, 5, 3), Sealed("k", 9, 9, 1)),
    ),
    Case(
        "Flink",
        _SET + "testIncrementalMerging",
        3,
        windows(
            *((0, 4), (0, 4), (3, 5), (4, 6), (1, 4), (0, 4), (3, 5), (4, 6)),
            *((11, 14), (10, 13), (12, 15), (11, 14)),
        ),
        (Sealed("k", 0, 4, 8), Sealed("k", 10, 12, 4)),
    ),
    Case(
        "Flink",
        _SET + "testLateMerging",
        3,
        windows((0, 3), (5, 8), (10, 13), (8, 10), (5, 8), (8, 10), (10, 13), (3, 5)),
        (Sealed("k", 0, 10, 8),),
    ),
    Case(
        "Flink",
        _SET + "testLateMerging, each window closed before the next",
        3,
        (
            *windows((0, 3), (5, 8), (10, 13)),
            Mark(13),
            *(*windows((8, 10)), Mark(14), *windows((3, 5)), Mark(15)),
        ),
        (
            *(Sealed("k", start, start, 1) for start in (0, 5, 10)),
            Sealed("k", 5, 10, 3, revision=2, retracted=1, cause=LATE),
            Sealed("k", 0, 10, 5, revision=2, retracted=1, cause=LATE),
        ),
        "they merge windows that still have state; here a merge after the close takes one back",
    ),
    Case(
        "Flink",
        _SET + "testMergeLargeWindowCoveringSingleWindow",
        3,
        windows((1, 2), (0, 3)),
        (Sealed("k", 0, 1, 2),),
    ),
    Case(
        "Flink",
        _SET + "testAddingIdenticalWindows",
        3,
        windows((1, 2), (1, 2)),
        (Sealed("k", 1, 1, 2),),
    ),
    Case(
        "Flink",
        _SET + "testMergeLargeWindowCoveringMultipleWindows",
        3,
        windows((1, 3), (5, 8), (10, 13), (0, 13)),
        (Sealed("k", 0, 10, 4),),
    ),
    Case(
        "Flink",
        _SET + "testPersist",
        3,
        windows((1, 2), (17, 42)),
        (Sealed("k", 1, 1, 1), Sealed("k", 17, 17, 1)),
    ),
    Case(
        "Flink",
        _OPERATOR + "testReduceSessionWindows",
        3_000,
        (
            *said("key2", 0, 1_000, 2_500),
            *said("key1", 10, 1_000, 2_500),
            *said("key2", 5_501, 6_000, 6_000, 6_050),
            Mark(12_000),
            *said("key2", 15_000, 15_000),
            *(Mark(17_999), Mark(18_000)),
        ),
        (
            Sealed("key1", 10, 2_500, 3),
            Sealed("key2", 0, 2_500, 3),
            Sealed("key2", 5_501, 6_050, 4),
            Sealed("key2", 15_000, 15_000, 2),
        ),
        "they fire the last one at 17,999, a millisecond before its end",
    ),
    Case(
        "Flink",
        _OPERATOR + "testPointSessions",
        3_000,
        (
            *(Said("key2", 0), Said("key2", 1_000, 0), Said("key2", 2_500, 0)),
            *(Said("key1", 10), Said("key1", 1_000), Said("key1", 2_500, 0)),
        ),
        (Sealed("key2", 0, 2_500, 3), Sealed("key1", 10, 2_500, 3)),
    ),
    Case(
        "Flink",
        _OPERATOR + "testSessionWindowsWithCountTrigger",
        3_000,
        (
            *said("key2", 0, 1_000, 2_500, 3_500),
            *said("key1", 10, 1_000, 2_500, 6_000, 6_500, 7_000, 4_500),
        ),
        (
            Sealed("key2", 0, 3_500, 4, cause="cap"),
            Sealed("key1", 10, 4_500, 4, cause="cap"),
            Sealed("key1", 6_000, 7_000, 3),
        ),
        "they fire seven messages of key1 as one; here a cap parts what it closes from the rest",
        max_messages=4,
    ),
    Case(
        "Flink",
        _OPERATOR + "testDropDueToLatenessSessionZeroLatenessPurgingTrigger",
        3_000,
        (*_FLINK_LATE, *said("k", 10_100, 14_500), Mark(20_000)),
        (
            Sealed("k", 1_000, 8_500, 5),
            Sealed("k", 11_600, 11_600, 1),
            Sealed("k", 1_000, 11_600, 7, revision=2, retracted=1, cause=LATE),
            Sealed("k", 1_000, 11_600, 8, revision=3, cause=LATE),
            Sealed("k", 1_000, 14_500, 9, revision=4, cause=LATE),
        ),
        "they drop 10,000 and 10,100, and 14,500 is a window of its own; here they bridge",
    ),
    Case(
        "Flink",
        _OPERATOR + "testDropDueToLatenessSessionWithLateness",
        3_000,
        (*_FLINK_LATE, Said("k", 14_500), Mark(20_000)),
        (
            Sealed("k", 1_000, 8_500, 5),
            Sealed("k", 1_000, 14_500, 8, revision=2, cause=LATE),
        ),
        "they have forgotten the first session, so that 10,000 joins the second one only",
        grace=10,
    ),
)

BEAM: Final = (
    Case(
        "Beam",
        "SessionsTest.testSimple",
        10,
        said("k", 0, 10, 101),
        (Sealed("k", 0, 10, 2), Sealed("k", 101, 101, 1)),
        "they part 0 and 10: exactly one gap does not join there, and does here",
    ),
    Case(
        "Beam",
        "SessionsTest.testConsecutive",
        10,
        said("k", 1, 2, 5, 9, 100, 101),
        (Sealed("k", 1, 9, 4), Sealed("k", 100, 101, 2)),
    ),
    Case(
        "Beam",
        "SessionsTest.testMerging",
        10,
        said("k", 1, 15, 30, 100, 101, 95, 22, 10),
        (Sealed("k", 1, 30, 5), Sealed("k", 95, 101, 3)),
    ),
    Case(
        "Beam",
        "SessionsTest.testTimeUnit",
        1_000,
        said("k", 1, 2, 1_000, 5_000, 5_001, 10_000),
        (Sealed("k", 1, 1_000, 3), Sealed("k", 5_000, 5_001, 2), Sealed("k", 10_000, 10_000, 1)),
    ),
    Case(
        "Beam",
        "trigger_transcripts.yaml, early_late_sessions",
        10,
        (*said("k", 1, 2, 3, 4, 5, 6), Mark(100), *said("k", 1, 3, 4), Mark(105)),
        (Sealed("k", 1, 6, 6), Sealed("k", 1, 6, 9, revision=2, cause=LATE)),
        "they fire early after two, and late after three; here late data waits for the grace",
        grace=5,
    ),
)

CASES: Final = (*KAFKA, *FLINK, *BEAM)
