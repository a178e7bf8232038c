"""Which webhooks are told of what, how many requests each gets, and what follows an answer."""

from datetime import timedelta
from typing import Any

from parley.analyses import JobEndKind, JobTrigger
from parley.webhooks.resting import Resting
from parley.webhooks.sending import Answer
from parley.webhooks.webhook import Webhook
from services.analyzer.webhooks.core import (
    DeliveryState,
    Made,
    Receiver,
    consequence,
    deliveries_of,
    made_of,
    rooms,
)
from tests.unit.persister.samples import verdict

RESTING = Resting(attempts=10, first=timedelta(seconds=4), longest=timedelta(hours=1))


def receiver(name: str, tenant: str = "default", **fields: Any) -> Receiver:
    counts = {one: fields.pop(one) for one in list(fields) if one in Receiver.__slots__}
    return Receiver(tenant, Webhook(name, "https://example.com/", 1, b"", **fields), **counts)


def made(conversation: str, offset: int, **fields: Any) -> Made:
    ended = verdict(tenant_id="default", conversation_id=conversation, **fields)
    return Made(ended, offset)


def category_of(pass_name: str, _: int) -> str:
    return {"sentiment": "mood", "topics": "llm"}.get(pass_name, "")


def test_only_a_verdict_is_told_of() -> None:
    assert made_of(verdict(), 7) == Made(verdict(), 7)
    others = [one for one in JobEndKind if one is not JobEndKind.VERDICT]
    assert [made_of(verdict(one), 7) for one in others] == [None] * len(others)


def test_each_webhook_of_the_tenant_is_told_of_what_it_wants_in_the_order_of_the_log() -> None:
    several = [made("c", 3), made("d", 4, pass_name="topics"), made("c", 5, pass_version=2)]
    receivers = [
        receiver("all"),
        receiver("llm", categories=("llm",)),
        receiver("foreign", "other"),
        receiver("off", is_enabled=False),
    ]
    found = deliveries_of(several, receivers, category_of)
    assert [(one.webhook_id, one.log_offset) for one in found] == [
        ("all", 3),
        ("all", 4),
        ("llm", 4),
        ("all", 5),
    ]
    assert len({one.delivery_id for one in found}) == 4
    assert found == deliveries_of(several, receivers, category_of)


def test_what_a_backfill_found_is_not_told_to_who_wants_only_what_is_live() -> None:
    old = [made("c", 1, trigger=JobTrigger.BACKFILL)]
    receivers = [receiver("all"), receiver("live", is_live_only=True)]
    assert [one.webhook_id for one in deliveries_of(old, receivers, category_of)] == ["all"]


def test_a_receiver_that_fails_is_asked_one_at_a_time_and_one_that_rests_not_at_all() -> None:
    assert receiver("w").room(4) == 4
    assert receiver("w", in_flight=3).room(4) == 1
    assert receiver("w", in_flight=9).room(4) == 0
    assert receiver("w", failure_count=4).room(4) == 4
    assert receiver("w", failure_count=5).room(4) == 1
    assert receiver("w", failure_count=5, in_flight=1).room(4) == 0
    assert receiver("w", is_resting=True).room(4) == 0


def test_what_slow_receivers_hold_takes_nothing_of_anothers_share() -> None:
    slow = [receiver(f"slow{number}", in_flight=4, has_due=True) for number in range(300)]
    quick = receiver("quick", has_due=True)
    assert rooms([*slow, quick], 4, 200) == {quick: 1}
    assert rooms([*slow[:49], quick], 4, 200) == {quick: 4}


def test_requests_are_shared_out_among_those_that_have_something_to_be_told() -> None:
    busy = [receiver(f"w{number}", has_due=True) for number in range(100)]
    idle = [receiver(f"idle{number}") for number in range(500)]
    assert rooms([*busy, *idle], 4, 200) == dict.fromkeys(busy, 2)
    assert sum(rooms(busy, 4, 200).values()) <= 200
    assert rooms(idle, 4, 200) == {}
    assert rooms([receiver("w", has_due=True, is_resting=True)], 4, 200) == {}


def after(status: int | None, attempts: int = 1, failures: int = 0, retry_after: int = 0) -> Any:
    answer = Answer(status, "" if status == 200 else "problem", 0.1, retry_after)
    return consequence(answer, attempts, failures, RESTING, 1.0)


def test_what_was_taken_is_delivered() -> None:
    assert after(200).state is DeliveryState.DELIVERED


def test_a_failure_is_tried_again_after_a_rest_that_doubles() -> None:
    for attempts, seconds in ((1, 4), (2, 8), (3, 16)):
        then = after(500, attempts)
        assert (then.state, then.due_in) == (DeliveryState.OPEN, timedelta(seconds=seconds))
        assert then.rests_for == timedelta(0)
    assert after(None, 2).due_in == timedelta(seconds=8)


def test_the_receivers_own_wish_counts_where_it_is_longer() -> None:
    assert after(429, retry_after=60).due_in == timedelta(seconds=60)
    assert after(429, retry_after=60).rests_for == timedelta(seconds=60)
    assert after(503, attempts=5, retry_after=1).due_in == timedelta(seconds=64)


def test_a_delivery_is_given_up_after_its_attempts_and_a_refused_one_sooner() -> None:
    assert after(500, 9).state is DeliveryState.OPEN
    assert after(500, 10).state is DeliveryState.FAILED
    assert after(404, 4).state is DeliveryState.OPEN
    assert after(404, 5).state is DeliveryState.FAILED


def test_from_the_fifth_failure_in_a_row_the_receiver_rests_up_to_five_minutes() -> None:
    assert after(500, failures=3).rests_for == timedelta(0)
    assert after(500, failures=4).rests_for == timedelta(seconds=4)
    assert after(500, failures=5).rests_for == timedelta(seconds=8)
    assert after(500, failures=100).rests_for == timedelta(minutes=5)


def test_a_receiver_that_is_gone_loses_no_delivery_by_it() -> None:
    then = after(410, 5)
    assert (then.state, then.is_receiver_gone) == (DeliveryState.OPEN, True)
    assert not after(404, 5).is_receiver_gone
