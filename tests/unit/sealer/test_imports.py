"""Imported stretches: each seals once, and live talk beside them goes on as ever."""

from typing import Any

from parley.events import Event, ImportFinished, ImportOutcome, ImportStarted
from parley.seals import SealCause
from tests.unit.sealer.samples import CALL, Talk, at, digest, event_id

LONG_AGO = -1_000_000.0
HOUR = 3_600


def imported(number: int, seconds: float, talk: Talk, arrives: float, **fields: Any) -> None:
    """A historical message of import i1."""
    talk.say(number, LONG_AGO + seconds, arrives, **{"import_id": "i1", **fields})


def start(talk: Talk, arrives: float) -> None:
    talk.feed(Event(event_id(900), ImportStarted(), at(0), at(0), import_id="i1"), arrives)


def finish(talk: Talk, arrives: float) -> None:
    body = ImportFinished(ImportOutcome.COMPLETED)
    talk.feed(Event(event_id(901), body, at(0), at(0), import_id="i1"), arrives)


def test_an_imported_stretch_seals_once_when_the_import_has_passed_it() -> None:
    talk = Talk()
    start(talk, 0)
    imported(1, 0, talk, 1)
    imported(2, 50, talk, 1_000)
    imported(3, 150, talk, 2_000)
    assert talk.seals == []
    imported(4, 251, talk, 2_001)
    talk.tick(2_002)
    assert [(one.member_digest, one.cause) for one in talk.seals] == [
        (digest(1, 2, 3), SealCause.IMPORT)
    ]


def test_a_stretch_waits_while_the_next_record_may_still_join_it() -> None:
    talk = Talk()
    imported(1, 0, talk, 0)
    imported(2, 100, talk, 1)
    talk.tick(500)
    assert talk.seals == []


def test_a_record_exactly_one_gap_later_does_not_let_a_stretch_go() -> None:
    talk = Talk()
    imported(1, 0, talk, 0)
    talk.start("s1", 1, seconds=LONG_AGO + 100, import_id="i1")
    imported(2, 100, talk, 2)
    finish(talk, 3)
    talk.tick(4)
    assert [one.message_count for one in talk.seals] == [2]


def test_the_next_conversation_lets_the_one_before_go_at_once() -> None:
    talk = Talk()
    imported(1, 0, talk, 0, conversation_id="a")
    imported(2, 0, talk, 0, conversation_id="b")
    imported(3, 0, talk, 0, conversation_id="c")
    assert [one.conversation_id for one in talk.seals] == ["a"]
    assert talk.sealer.open_windows == 2


def test_the_end_of_an_import_lets_its_last_stretch_go() -> None:
    talk = Talk()
    imported(1, 0, talk, 0)
    finish(talk, 1)
    assert talk.sealer.next_deadline() is not None
    talk.tick(2)
    assert [one.revision for one in talk.seals] == [1]


def test_an_import_that_says_nothing_for_an_hour_holds_nothing_any_more() -> None:
    talk = Talk()
    imported(1, 0, talk, 0)
    talk.tick(HOUR - 1)
    assert talk.seals == []
    talk.tick(HOUR)
    assert len(talk.seals) == 1
    imported(2, 10, talk, HOUR + 1)
    finish(talk, HOUR + 2)
    talk.tick(HOUR + 3)
    assert [(one.revision, one.cause) for one in talk.seals] == [
        (1, SealCause.IMPORT),
        (2, SealCause.LATE),
    ]


def test_an_interrupted_import_that_goes_on_within_the_hour_seals_once() -> None:
    talk = Talk()
    imported(1, 0, talk, 0)
    talk.tick(HOUR - 1)
    start(talk, HOUR - 1)
    imported(1, 0, talk, HOUR - 1)
    imported(2, 50, talk, HOUR + 1_000)
    finish(talk, HOUR + 1_001)
    talk.tick(HOUR + 1_002)
    assert [one.message_count for one in talk.seals] == [2]


def test_importing_again_changes_nothing() -> None:
    talk = Talk()
    for arrives in (0, 10_000):
        start(talk, arrives)
        for number, seconds in ((1, 0), (2, 50), (3, 500)):
            imported(number, seconds, talk, arrives + number)
        finish(talk, arrives + 5)
        talk.tick(arrives + 6)
        assert [one.revision for one in talk.seals] == [1, 1]


def test_live_windows_beside_an_import_close_as_ever() -> None:
    talk = Talk()
    imported(1, 0, talk, 0, conversation_id="a")
    talk.say(2, 0, arrives=0, conversation_id="live")
    talk.tick(110)
    assert [one.conversation_id for one in talk.seals] == ["live"]


def test_an_import_into_live_talk_does_not_close_it_early() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.say(2, 10, import_id="i1")
    finish(talk, 11)
    talk.tick(100)
    assert talk.seals == []
    talk.tick(120)
    assert [one.message_count for one in talk.seals] == [2]


def test_a_forced_seal_leaves_a_held_window_alone() -> None:
    talk = Talk()
    imported(1, 0, talk, 0)
    talk.say(2, 0, arrives=0)
    talk.force(50, 1)
    assert [one.member_digest for one in talk.seals] == [digest(2)]


def test_a_cap_closes_a_held_window_at_once() -> None:
    talk = Talk()
    capped = CALL.__class__(max_messages=2)
    imported(1, 0, talk, 0, policy=capped)
    imported(2, 1, talk, 0, policy=capped)
    assert [one.cause for one in talk.seals] == [SealCause.CAP]


def test_an_imported_end_cuts_at_its_own_event_time() -> None:
    talk = Talk()
    call: dict[str, Any] = {"policy": CALL, "import_id": "i1"}
    talk.start("s1", 0, seconds=LONG_AGO, **call)
    imported(1, 1, talk, 0, session_id="s1", policy=CALL)
    talk.end("s1", 1, seconds=LONG_AGO + 20, **call)
    imported(2, 30, talk, 2, session_id="s2", policy=CALL)
    imported(3, 15, talk, 3, policy=CALL)
    finish(talk, 4)
    talk.tick(5)
    assert [one.member_digest for one in talk.seals[-2:]] == [digest(1, 3), digest(2)]


def test_an_imported_end_never_splits_a_segment() -> None:
    talk = Talk()
    call: dict[str, Any] = {"policy": CALL, "import_id": "i1"}
    imported(1, 0, talk, 0, session_id="s1", policy=CALL)
    imported(2, 40, talk, 0, policy=CALL)
    talk.end("s1", 1, seconds=LONG_AGO + 20, **call)
    imported(3, 50, talk, 2, policy=CALL)
    finish(talk, 3)
    talk.tick(4)
    assert [one.member_digest for one in talk.seals] == [digest(1, 2), digest(3)]
