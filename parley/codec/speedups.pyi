from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from parley.codec.record import Header, LogRecord
from parley.events import Policy, Role

class MessageReader:
    def __init__(
        self,
        shape: tuple[Any, ...],
        roles: tuple[Role | None, ...],
        policy_of: Callable[[bytes], Policy | None],
        is_metadata: Callable[[str], bool],
        headers: tuple[Header, ...],
        max_id_bytes: int,
        earliest_s: int,
        latest_s: int,
        tolerance_us: int,
    ) -> None: ...
    def __call__(self, records: Sequence[LogRecord], given: Any) -> list[Any]: ...

class RecordMaker:
    def __init__(
        self,
        make: type[LogRecord],
        headers: tuple[Header, ...],
        other_headers: Callable[[tuple[tuple[str, bytes | None], ...]], tuple[Header, ...]],
        time_of: Callable[[int], datetime],
    ) -> None: ...
    def __call__(self, place: tuple[str, int], record: Any) -> LogRecord: ...

def microseconds_since(epoch: datetime, moment: datetime) -> tuple[int]: ...
def rows_to_copy(types: tuple[str, ...], rows: list[Any]) -> bytes: ...
