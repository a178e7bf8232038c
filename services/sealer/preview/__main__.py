"""Be a preview's process: told on stdin what to replay, telling on stdout what comes out.

Each line out is JSON: `{"begin": records}`, `{"read": records}` now and then, `{"late":
[[partition, offset], …]}` where the log has lost its beginning, `{"changed": […]}` as it is found,
`{"by_channel": …}` at the end, or `{"problem": …, "remedy": …}` at the end of all.
"""

import gc
import sys
from typing import Any, Final

import orjson
import uvloop

from parley import logs
from parley.codec import event_key
from parley.errors import UserError
from parley.log.admin import PartitionEnds, incarnation_of, topic_ends
from parley.log.ranges import read_ranges
from parley.previewing.request import PreviewRequest
from parley.topics import Topic
from services.sealer.core import UnknownRule
from services.sealer.preview.folding import TwoFolds
from services.sealer.preview.report import Report
from services.sealer.reading import read
from services.sealer.settings import SealerSettings

CHANGES_AT_ONCE: Final = 1_000


def main() -> None:
    """Replay, and tell; exit 1 with what is wrong."""
    # What is folded stays until its partition is done, and holds no cycles.
    gc.disable()
    logs.configure("sealer", "CRITICAL", is_json=True)
    try:
        request = PreviewRequest.from_json(orjson.loads(sys.stdin.buffer.read()))
        uvloop.run(_preview(SealerSettings.load(), request))
    except UserError as error:
        _tell(problem=error.problem, remedy=error.remedy)
        sys.exit(1)


async def _preview(settings: SealerSettings, request: PreviewRequest) -> None:
    topic = settings.topic(Topic.EVENTS)
    incarnation = await incarnation_of(settings, topic)
    ends = await topic_ends(settings, topic)
    _tell(begin=sum(one.end - one.beginning for one in ends))
    late = [[one.partition, one.beginning] for one in ends if one.beginning]
    if late:
        _tell(late=late)
    report = Report(request)
    # One after the other, so that memory holds no more than one.
    for one in ends:
        folds = TwoFolds(incarnation, one.partition, request.stamps)
        await _fold(settings, request, one, folds)
        for key, groups in folds.finish():
            report.add(key, groups)
        _tell_changes(report)
    _tell(by_channel=report.by_channel())


async def _fold(
    settings: SealerSettings, request: PreviewRequest, ends: PartitionEnds, folds: TwoFolds
) -> None:
    own_keys = event_key(request.tenant_id, "")
    ranges = {ends.partition: (ends.beginning, ends.end)}
    async for records in read_ranges(settings, settings.topic(Topic.EVENTS), ranges):
        for record in records:
            try:
                event, append_time = read(record)
                if request.tenant_id and record.key and not record.key.startswith(own_keys):
                    event = None
                folds.observe(event, append_time, record.offset)
            except UnknownRule as error:
                raise UserError(
                    f"{error}, from offset {record.offset} of partition {ends.partition} on.",
                    "Preview with a release of Parley that knows it.",
                ) from error
        _tell(read=len(records))


def _tell_changes(report: Report) -> None:
    changed = report.take_changed()
    for first in range(0, len(changed), CHANGES_AT_ONCE):
        _tell(changed=changed[first : first + CHANGES_AT_ONCE])


def _tell(**what: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
