"""What Beam test their session windows with."""

from typing import Final

from tests.unit.sealer.known_cases.case import LATE, Case, Mark, Sealed, said

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
