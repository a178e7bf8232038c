"""History folded twice: under what events carry, and under another policy."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from parley.events import Event, Policy
from parley.policies import EVERYBODY, Scope
from parley.previewing.request import PreviewRequest, Stamps
from services.sealer.core.comparing import Outcome
from services.sealer.preview.folding import Fold, TwoFolds
from services.sealer.preview.report import Report
from tests.unit.sealer.samples import CHAT, at, message

# Two stretches 100 seconds apart, one more 300 seconds later.
TALK = (0, 50, 151, 451, 500)

SHORT = replace(CHAT, policy_id="short", idle_gap=timedelta(seconds=30))
LONG = replace(CHAT, policy_id="long", idle_gap=timedelta(seconds=120))


def talk(conversation: str = "c1", **fields: object) -> list[Event]:
    return [
        message(number, seconds, conversation_id=conversation, **fields)
        for number, seconds in enumerate(TALK)
    ]


def replay(events: list[Event], stamps: Stamps) -> TwoFolds:
    folds = TwoFolds("topic-1", 0, stamps)
    for offset, event in enumerate(sorted(events, key=lambda one: one.event_time)):
        folds.observe(event, event.event_time, offset)
    return folds


def report(
    events: list[Event], stamps: Stamps, **request: object
) -> tuple[dict[str, dict[str, int]], list[dict[str, object]]]:
    made = Report(PreviewRequest(stamps, **request))  # type: ignore[arg-type]
    for key, groups in replay(events, stamps).finish():
        made.add(key, groups)
    return made.by_channel(), made.take_changed()


@pytest.mark.parametrize(
    ("policy", "after", "outcomes"),
    [
        (CHAT, 3, {Outcome.UNCHANGED: 3}),
        (SHORT, 5, {Outcome.SPLIT: 2, Outcome.UNCHANGED: 1}),
        (LONG, 2, {Outcome.MERGED: 2, Outcome.UNCHANGED: 1}),
        (replace(CHAT, max_messages=2), 3, {Outcome.UNCHANGED: 3}),
        (replace(LONG, max_messages=2), 3, {Outcome.UNCHANGED: 3}),
        (replace(CHAT, grace=timedelta(hours=1)), 3, {Outcome.UNCHANGED: 3}),
    ],
)
def test_another_policy_parts_history_otherwise(
    policy: Policy, after: int, outcomes: dict[Outcome, int]
) -> None:
    by_channel, _ = report(talk(channel="chat"), {EVERYBODY: policy})
    counts = by_channel["chat"]
    assert (counts["conversations"], counts["before"], counts["after"]) == (1, 3, after)
    assert {name: counts[name] for name in Outcome} == {**dict.fromkeys(Outcome, 0), **outcomes}


def test_without_another_policy_nothing_changes() -> None:
    by_channel, changed = report(talk(channel="chat"), {EVERYBODY: None})
    assert by_channel["chat"]["unchanged"] == by_channel["chat"]["after"] == 3
    assert changed == []


def test_only_events_of_the_scope_are_replayed_otherwise() -> None:
    events = [*talk("c1", channel="phone"), *talk("c2", channel="chat")]
    by_channel, changed = report(events, {Scope("", "phone"): LONG})
    assert by_channel["phone"]["merged"] == 2
    assert by_channel["chat"]["unchanged"] == 3
    assert len(changed) == 1


def test_what_changes_is_named_with_what_comes_in_its_place() -> None:
    fold = Fold("topic-1", 0)
    for offset, event in enumerate(talk()):
        fold.observe(event, event.event_time, offset)
    fold.close_all()
    first, second, _ = sorted(fold.segments[("acme", "c1")].values())
    _, changed = report(talk(), {EVERYBODY: LONG})
    assert changed == [
        {
            "tenant_id": "acme",
            "before": [[first.segment_id, 1], [second.segment_id, 1]],
            "after": 1,
        }
    ]


def test_a_late_message_counts_as_another_seal_of_its_segment() -> None:
    folds = TwoFolds("topic-1", 0, {EVERYBODY: replace(CHAT, grace=timedelta(hours=1))})
    folds.observe(message(1, 0), at(0), 0)
    folds.observe(None, at(200), 1)
    # It was said within the gap, and comes when the segment was sealed under the shorter grace.
    folds.observe(message(2, 60), at(300), 2)
    made = Report(PreviewRequest({}))
    for key, groups in folds.finish():
        made.add(key, groups)
    counts = made.by_channel()[""]
    assert (counts["unchanged"], counts["seals_before"], counts["seals_after"]) == (1, 2, 1)


def test_segments_that_were_merged_lend_their_seals_to_the_one_that_goes_on() -> None:
    fold = Fold("topic-1", 0)
    for offset, (number, said, comes) in enumerate(
        [(1, 0, 0), (2, 150, 150), (3, 75, 400)]  # The third bridges the first two.
    ):
        fold.observe(message(number, said), at(comes), offset)
    fold.close_all()
    [only] = fold.segments[("acme", "c1")].values()
    assert (only.seals, only.revision) == (3, 2)


def test_since_and_channel_choose_whole_groups() -> None:
    events = [*talk("c1", channel="phone"), *talk("c2", channel="chat")]
    stamps = {EVERYBODY: LONG}
    by_channel, _ = report(events, stamps, since=at(151))
    # The merged one ends at 151: it is still asked for, with both of its segments.
    assert by_channel["chat"]["before"] == 3
    by_channel, changed = report(events, stamps, since=at(152))
    assert (by_channel["chat"]["before"], changed) == (1, [])
    by_channel, changed = report(events, stamps, channel="phone")
    assert Counter(by_channel) == Counter({"phone": by_channel["phone"]})
    assert len(changed) == 1
