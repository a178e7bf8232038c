"""The events of the rebuild's log: messages of conversations of which many go on at once."""

import random
from collections.abc import Iterator
from typing import Final

from benchmarks.sink.messages import Message, messages
from parley import clock

# Conversations that go on at the same time, and what is said in each before the next ones begin.
AT_ONCE: Final = 1_000
MESSAGES_EACH: Final = 20


def talk(count: int) -> Iterator[Message]:
    """Messages as gateways take them in now, so that nothing has been quiet for long enough to be
    sealed; those of a conversation lie close together in the log, as those of people do.
    """
    chance = random.Random(20_260_102)  # noqa: S311 - the same each time
    for number, message in enumerate(messages(count)):
        round_number = number // (AT_ONCE * MESSAGES_EACH)
        conversation = round_number * AT_ONCE + chance.randrange(AT_ONCE)
        yield message._replace(
            conversation_id=f"conversation-{conversation:05}",
            event_time_us=int(clock.now().timestamp() * 1e6),
        )
