"""The persister as it is, but for places where a test may kill or stop it.

Run as `python -m tests.support.failing_persister`. Where PARLEY_STATE_DIR holds a file `failpoint`
that says `PLACE kill` or `PLACE stop`, the process takes it away at that place, and sends itself
SIGKILL or SIGSTOP.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer

from parley.db.outbox import Relay
from parley.log.consumer import FencedConsumer
from parley.log.producer import Producer
from services.persister.main import main
from services.persister.stream.handler import PersisterHandler

PLACES: Final = (
    "before-database-commit",
    "after-database-commit",
    "before-kafka-commit",
    "after-kafka-commit",
    "before-outbox-publish",
    "after-outbox-publish",
    "before-send",
    "after-send",
)
SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
ORDER: Final = Path(os.environ.get("PARLEY_STATE_DIR", ".")) / "failpoint"

Method = Callable[..., Awaitable[Any]]


def reach(place: str) -> None:
    """Do here what was ordered for this place."""
    if not ORDER.exists():
        return
    wanted, _, action = ORDER.read_text().partition(" ")
    if wanted == place:
        ORDER.unlink()
        os.kill(os.getpid(), SIGNALS[action])


def between(before: str | None, method: Method, after: str | None) -> Method:
    """The method with a place before it, and one after it where it did something."""

    @wraps(method)
    async def wrapped(*arguments: Any, **named: Any) -> Any:
        if before:
            reach(before)
        result = await method(*arguments, **named)
        # A relay that found nothing to publish says 0.
        if after and result != 0:
            reach(after)
        return result

    return wrapped


def install() -> None:
    """Put all places in."""
    # The handler's writing is the last thing in the transaction: COMMIT comes next.
    patches: list[tuple[Any, str, str | None, str | None]] = [
        (PersisterHandler, "apply", None, "before-database-commit"),
        (FencedConsumer, "_transaction", None, "after-database-commit"),
        (AIOKafkaConsumer, "commit", "before-kafka-commit", "after-kafka-commit"),
        (Relay, "publish_some", "before-outbox-publish", "after-outbox-publish"),
        (Producer, "send_all", "before-send", "after-send"),
    ]
    for owner, name, before, after in patches:
        setattr(owner, name, between(before, getattr(owner, name), after))


if __name__ == "__main__":
    install()
    main()
