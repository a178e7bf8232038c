"""Decides which webhooks are told of what, how many requests each may get, and what follows one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from parley.analyses import JobEnded, JobEndKind, JobTrigger
from parley.passes.catalog import Catalog
from parley.webhooks.delivery import delivery_id
from parley.webhooks.resting import FAILURES_UNTIL_PROBED, Resting, is_gone
from parley.webhooks.sending import Answer
from parley.webhooks.webhook import Webhook

CategoryOf = Callable[[str, int], str]


class DeliveryState(StrEnum):
    """Where a delivery stands. All but the first two are its end."""

    OPEN = "open"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"
    # Its verdict is in no table any more: retention deleted it.
    GONE = "gone"


class Made(NamedTuple):
    """A verdict, and where its record lies in the analyses topic."""

    ended: JobEnded
    log_offset: int


class NewDelivery(NamedTuple):
    """A verdict that a webhook is to be told of."""

    tenant_id: str
    delivery_id: str
    webhook_id: str
    conversation_id: str
    segment_id: str
    revision: int
    pass_name: str
    pass_version: int
    log_offset: int


@dataclass(frozen=True, slots=True)
class Receiver:
    """A webhook of a tenant, how often in a row it has failed, and whether something is due."""

    tenant_id: str
    webhook: Webhook
    failure_count: int = 0
    in_flight: int = 0
    is_resting: bool = False
    has_due: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What must be unique."""
        return self.tenant_id, self.webhook.webhook_id

    def room(self, most: int) -> int:
        """How many requests more it may get now: one at a time while it fails."""
        if self.is_resting:
            return 0
        is_failing = self.failure_count >= FAILURES_UNTIL_PROBED
        return max(0, (1 if is_failing else most) - self.in_flight)


def rooms(receivers: Sequence[Receiver], most: int, in_all: int) -> dict[Receiver, int]:
    """How many requests each may begin: `most` at a time, and its share of `in_all`, at least one.

    The share is a receiver's own: what others hold, however slow they are, takes nothing of it. So
    there are never more requests than `in_all` and one for each receiver.
    """
    busy = [one for one in receivers if one.has_due or one.in_flight]
    share = min(most, max(1, in_all // max(1, len(busy))))
    return {one: room for one in busy if one.has_due and (room := one.room(share))}


@dataclass(frozen=True, slots=True)
class Consequence:
    """What an answer makes of a delivery, and of its receiver.

    `due_in` is until the next attempt, `rests_for` until the receiver is asked again for anything.
    """

    state: DeliveryState
    reason: str = ""
    due_in: timedelta = timedelta(0)
    rests_for: timedelta = timedelta(0)
    is_receiver_gone: bool = False


# A receiver that comes back is found out within so long.
LONGEST_PROBE: timedelta = timedelta(minutes=5)


def category_in(catalog: Catalog) -> CategoryOf:
    """By a pass and its version its category; empty for one that nobody knows any more."""

    def category_of(pass_name: str, pass_version: int) -> str:
        applied = catalog.version(pass_name, pass_version)
        return "" if applied is None else applied.definition.category

    return category_of


def made_of(ended: JobEnded, log_offset: int) -> Made | None:
    """The verdict, where it is one that ended the job."""
    return Made(ended, log_offset) if ended.end is JobEndKind.VERDICT else None


def deliveries_of(
    made: Sequence[Made], receivers: Sequence[Receiver], category_of: CategoryOf
) -> list[NewDelivery]:
    """One for each verdict and webhook that wants it, in the order of the log."""
    return [
        _delivery(one, receiver)
        for one in made
        for receiver in receivers
        if receiver.tenant_id == one.ended.tenant_id
        and receiver.webhook.wants(
            one.ended.pass_name,
            category_of(one.ended.pass_name, one.ended.pass_version),
            is_backfill=one.ended.trigger is JobTrigger.BACKFILL,
        )
    ]


def _delivery(made: Made, receiver: Receiver) -> NewDelivery:
    ended, webhook_id = made.ended, receiver.webhook.webhook_id
    verdict = (ended.segment_id, ended.revision, ended.pass_name, ended.pass_version)
    return NewDelivery(
        ended.tenant_id,
        delivery_id(ended.tenant_id, webhook_id, *verdict),
        webhook_id,
        ended.conversation_id,
        *verdict,
        made.log_offset,
    )


def consequence(
    answer: Answer, attempts: int, failures_before: int, resting: Resting, share: float
) -> Consequence:
    """What an answer leads to, the delivery having had so many attempts.

    `share` is random, from 0 to 1.
    """
    if answer.is_success:
        return Consequence(DeliveryState.DELIVERED)
    asked = timedelta(seconds=answer.retry_after_seconds)
    failures = failures_before + 1
    is_probed = failures >= FAILURES_UNTIL_PROBED
    probe = min(resting.rest(failures - FAILURES_UNTIL_PROBED + 1, share), LONGEST_PROBE)
    rests_for = max(asked, probe if is_probed else timedelta(0))
    is_receiver_gone = is_gone(answer.status)
    if resting.is_given_up(attempts, answer.status) and not is_receiver_gone:
        return Consequence(DeliveryState.FAILED, answer.problem, rests_for=rests_for)
    due_in = max(asked, resting.rest(attempts, share))
    return Consequence(
        DeliveryState.OPEN, answer.problem, due_in, rests_for, is_receiver_gone=is_receiver_gone
    )
