"""An agent as a process of its own, to be killed: `python -m tests.unit.client.agent URL SPOOL N`.

It prints a line for every message that its tracker accepted, and then waits to be killed, or for
a SIGTERM, which it answers as an asyncio program should: with close(), and its report.
"""

import asyncio
import signal
import sys
from pathlib import Path

from parley.client import Tracker


async def main(url: str, spool: str, count: int) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    tracker = Tracker(url, spool=Path(spool) if spool else None, client_id="agent")
    session = tracker.start_session("c", user_id="u")
    for number in range(count):
        if tracker.track_message(session, "user", f"message {number}"):
            print(number, flush=True)  # noqa: T201 - how the test hears of it
        await asyncio.sleep(0.0005)
    await stopping.wait()
    report = await asyncio.to_thread(tracker.close, 5)
    print("complete" if report.is_complete else "incomplete", flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
