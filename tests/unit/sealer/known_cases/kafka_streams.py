"""What Kafka Streams test their session windows with."""

from typing import Final

from tests.unit.sealer.known_cases.case import LATE, Case, Mark, Said, Sealed, said

GAP: Final = 300_000
_KAFKA: Final = "KStreamSessionWindowAggregateProcessorTest."

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
