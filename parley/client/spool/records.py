"""The lines of a spool's files; a line that was cut off shows by its checksum."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import orjson

from parley.client.sending import Outgoing

_SAID: Final = b"said"
_END: Final = b"end"


@dataclass(frozen=True, slots=True)
class SpooledSession:
    """Where a message belongs: enough to introduce oneself anew as whoever said it."""

    handle: str
    conversation_id: str
    client_id: str
    user_id: str = ""
    channel: str = ""
    metadata_json: str = ""

    def encode(self) -> bytes:
        """As it stands in every line of the session."""
        return orjson.dumps(self)


@dataclass(frozen=True, slots=True)
class SpooledFrame:
    """A frame that was accepted; `is_end` where it ends its session."""

    session: SpooledSession
    frame: Outgoing
    is_end: bool = False


def frame_line(session: bytes, frame: Outgoing, is_end: bool) -> bytes:
    """One line: checksum, session, the frame's id, what it is, and its body."""
    # JSON escapes tabs and newlines, so that they can part columns and lines.
    kind = _END if is_end else _SAID
    return _line(b"\t".join((session, frame.frame_id.encode(), kind, frame.body)))


def read_frames(content: bytes) -> tuple[list[SpooledFrame], int]:
    """All frames of a file, and how many lines were torn."""
    frames, torn = [], 0
    for line in _lines(content):
        found = None if line is None else _frame(line)
        if found is None:
            torn += 1
        else:
            frames.append(found)
    return frames, torn


def session_line(handle: str, session_id: str, generation: int) -> bytes:
    """One line: the session that the gateway gave, and how often it was connected."""
    return _line(orjson.dumps((handle, session_id, generation)))


def read_sessions(content: bytes) -> dict[str, tuple[str, int]]:
    """The last known session id and generation of each handle."""
    known = {}
    for line in _lines(content):
        if line is not None:
            handle, session_id, generation = orjson.loads(line)
            known[handle] = (session_id, generation)
    return known


def read_done(content: bytes) -> set[str]:
    """The ids that need not be sent again; one without its line's end may be cut off."""
    *complete, _ = content.split(b"\n")
    return {line.decode("ascii", "replace") for line in complete}


def _line(content: bytes) -> bytes:
    return b"%08x\t%b\n" % (crc32(content), content)


def _lines(content: bytes) -> Iterator[bytes | None]:
    """Each line without its checksum; None for one that is not as it was written."""
    for raw in content.split(b"\n"):
        # A file has its full length from the start: what was not written yet is NUL.
        line = raw.strip(b"\0")
        if not line:
            continue
        checksum, _, rest = line.partition(b"\t")
        yield rest if checksum == b"%08x" % crc32(rest) else None


def _frame(line: bytes) -> SpooledFrame:
    session, frame_id, kind, body = line.split(b"\t", 3)
    said_in = SpooledSession(**orjson.loads(session))
    return SpooledFrame(said_in, Outgoing(frame_id.decode(), body), kind == _END)
