"""What Flink test their session windows with."""

from typing import Final

from tests.unit.sealer.known_cases.case import LATE, Case, Mark, Said, Sealed, Steps, said, windows

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
