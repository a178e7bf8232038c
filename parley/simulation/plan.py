"""Decides what simulated clients send, and when: the same seed gives the same traffic."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from parley.events import Role
from parley.simulation.chats import CHATS

# How long a late message was kept by its client, in seconds.
LATE_S: Final = (1.0, 20.0)
# How long after a message its copy comes, in seconds.
COPY_S: Final = (0.05, 2.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for; a rate of messages a second over all conversations.

    With `seconds` None every conversation has one chat, from its first line to its last.
    """

    conversation_count: int
    messages_a_second: float
    seconds: float | None = None
    late_share: float = 0.0
    duplicate_share: float = 0.0
    seed: int = 0

    def message_count(self, conversation: int) -> int:
        """How many different messages the conversation (from 0) has."""
        if self.seconds is None:
            return len(CHATS[conversation % len(CHATS)])
        total = int(self.messages_a_second * self.seconds)
        return len(range(conversation, total, self.conversation_count))

    @property
    def duration_s(self) -> float:
        """Seconds until the last message is due; what is late comes after that."""
        lengths = [self.message_count(one) for one in range(self.conversation_count)]
        return max(lengths, default=0) * self.conversation_count / self.messages_a_second


@dataclass(frozen=True, slots=True, order=True)
class PlannedFrame:
    """One frame: said at `due_s` and sent at `send_s`, in seconds from the beginning."""

    send_s: float
    number: int
    due_s: float
    role: Role
    text: str


def frames(plan: Plan, conversation: int) -> Iterator[PlannedFrame]:
    """The conversation's frames in the order in which they are sent; copies repeat a number."""
    # Reproducible traffic is the point, not secrecy.
    random = Random(f"{plan.seed}/{conversation}")  # noqa: S311
    waiting: list[PlannedFrame] = []
    for number in range(plan.message_count(conversation)):
        due_s = (conversation + number * plan.conversation_count) / plan.messages_a_second
        while waiting and waiting[0].send_s <= due_s:
            yield heapq.heappop(waiting)
        for frame in _with_copy(plan, random, _frame(plan, random, conversation, number, due_s)):
            heapq.heappush(waiting, frame)
    while waiting:
        yield heapq.heappop(waiting)


def _frame(
    plan: Plan, random: Random, conversation: int, number: int, due_s: float
) -> PlannedFrame:
    chat = CHATS[conversation % len(CHATS)]
    role, text = chat[number % len(chat)]
    delay_s = random.uniform(*LATE_S) if random.random() < plan.late_share else 0.0
    return PlannedFrame(due_s + delay_s, number, due_s, role, text)


def _with_copy(plan: Plan, random: Random, frame: PlannedFrame) -> Iterator[PlannedFrame]:
    yield frame
    if random.random() < plan.duplicate_share:
        send_s = frame.send_s + random.uniform(*COPY_S)
        yield PlannedFrame(send_s, frame.number, frame.due_s, frame.role, frame.text)
