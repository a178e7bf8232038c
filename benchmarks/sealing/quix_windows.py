"""Session windows over a topic with Quix Streams: `python quix_windows.py FILE`.

It runs in a virtual environment of its own, without anything of Parley's. The file is JSON:
bootstrap, group, state_dir, input, output, gap_ms and grace_ms. A result is "first,last,count".
"""

import json
import sys
from pathlib import Path
from typing import Any

from quixstreams import Application
from quixstreams.dataframe.windows import Count

APPEND_TIME = "parley-append-time"


def first_appended(
    value: Any, headers: list[tuple[str, bytes]] | None, timestamp: float, timestamp_type: Any
) -> int:
    """A record's time in milliseconds: when it was first appended, as its header says."""
    return int(dict(headers or ())[APPEND_TIME]) // 1_000


def main() -> None:
    """Run until killed."""
    job = json.loads(Path(sys.argv[1]).read_text())
    application = Application(
        broker_address=job["bootstrap"],
        consumer_group=job["group"],
        state_dir=job["state_dir"],
        auto_offset_reset="earliest",
        commit_interval=1.0,
        loglevel="WARNING",
    )
    source = application.topic(
        job["input"], value_deserializer="bytes", timestamp_extractor=first_appended
    )
    results = application.topic(job["output"], value_serializer="str")
    windows = (
        application.dataframe(source)
        .session_window(inactivity_gap_ms=job["gap_ms"], grace_ms=job["grace_ms"])
        .agg(count=Count())
        # By the partition's time: the default closes a key's window when the key comes again.
        .final(closing_strategy="partition")
    )
    # Its end is the millisecond after the last one.
    windows.apply(lambda one: f"{one['start']},{one['end'] - 1},{one['count']}").to_topic(results)
    application.run()


if __name__ == "__main__":
    main()
