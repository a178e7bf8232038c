"""The `parley` command that kills itself (SIGKILL) at a moment that DIE_AT names.

Run as `python -m tests.integration.incarnations.dying_command`. DIE_AT is a step and how many times
it is done before: `closed`, `created`, `sent:3`, `compared`, or `switched`. Batches are of a few
records, so that there are many moments.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from parley.cli.app import main
from parley.incarnations import copying, growing, repairing

STEPS = {
    "closed": ((growing, "close_topic"), (repairing, "close_topic")),
    "created": ((growing, "create_like"), (repairing, "create_like")),
    "sent": ((copying, "_flush"),),
    "compared": ((growing, "verify"), (repairing, "verify")),
    "switched": ((growing, "switch"), (repairing, "switch")),
}
RECORDS_AT_ONCE = 20


def die_after(step: str, times: int) -> None:
    """Let the step be the last thing that this process does."""
    done = 0

    def dying(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def last(*arguments: Any) -> Any:
            nonlocal done
            result = await work(*arguments)
            done += 1
            if done >= times:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return last

    for module, name in STEPS[step]:
        setattr(module, name, dying(getattr(module, name)))


if __name__ == "__main__":
    copying.BATCH_RECORDS = RECORDS_AT_ONCE  # type: ignore[misc]
    wanted, _, count = os.environ["DIE_AT"].partition(":")
    die_after(wanted, int(count or 1))
    main()
