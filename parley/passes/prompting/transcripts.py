"""Writes a segment as a transcript that what was said in it can neither end nor imitate.

A transcript is one JSON object per line between two lines that carry a boundary. What was said
stands within JSON strings only, so that no text of it begins a line; and the boundary is a hash
of the segment's id and all that is said, so that who speaks would have to say a text that holds
its own hash.

A transcript has a bound in bytes, and this is the rule by which a longer one is cut:

- Of a message whose line is longer than a quarter of the bound the beginning and the end are
  kept, as much of each; the line says how many characters are left out between them.
- Then messages from the beginning are kept, up to a third of the bound, and as many from the end
  as still fit; a line between them says how many are left out.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from typing import Final

from parley.digests import SpokenMember
from parley.passes.code import SegmentText
from parley.passes.prompting.parameters import DEFAULT_TRANSCRIPT_BYTES

# What JSON leaves as it is, although some programs take it for the end of a line, or terminals
# for a command.
_ESCAPED: Final = {
    one: f"\\u{one:04x}" for one in (*range(0x7F, 0xA0), ord("\u2028"), ord("\u2029"))
}
# Made once: json.dumps makes one for each call.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_BOUNDARY_DIGITS: Final = 32
# Bytes of a line beside its text, and of the line that says what is left out.
_LINE_FRAME: Final = 200


@dataclass(frozen=True, slots=True)
class Transcript:
    """The lines of a transcript, its boundary lines included, and what it holds."""

    text: str
    boundary: str
    message_count: int
    shown_count: int
    shortened_count: int

    @property
    def left_out_count(self) -> int:
        """Messages that are not shown at all."""
        return self.message_count - self.shown_count

    @property
    def first_line(self) -> str:
        """The line that it begins with."""
        return opening(self.boundary)

    @property
    def last_line(self) -> str:
        """The line that it ends with."""
        return closing(self.boundary)


def opening(boundary: str) -> str:
    """The line before the first message."""
    return f"===== transcript {boundary} ====="


def closing(boundary: str) -> str:
    """The line after the last message."""
    return f"===== end of transcript {boundary} ====="


def transcript_of(segment: SegmentText, max_bytes: int = DEFAULT_TRANSCRIPT_BYTES) -> Transcript:
    """The transcript of a segment, cut to about `max_bytes` by the rule above."""
    lines, shortened = [], 0
    for number, message in enumerate(segment.messages, start=1):
        line, is_shortened = _line(number, message, max_bytes // 4)
        lines.append(line)
        shortened += is_shortened
    shown, left_out = _cut(lines, max_bytes)
    body = "".join(f"{line}\n" for line in shown)
    boundary = boundary_of(segment.segment_id, body)
    text = f"{opening(boundary)}\n{body}{closing(boundary)}"
    return Transcript(text, boundary, len(lines), len(lines) - left_out, shortened)


def boundary_of(
    segment_id: str,
    body: str,
    digest: Callable[[bytes], str] = lambda data: sha256(data).hexdigest(),
) -> str:
    """A word that is not in the body, the same for the same segment and body."""
    return next(one for one in _boundaries(segment_id, body, digest) if one not in body)


def _boundaries(segment_id: str, body: str, digest: Callable[[bytes], str]) -> Iterator[str]:
    number = 0
    while True:
        yield digest(f"{number}\n{segment_id}\n{body}".encode())[:_BOUNDARY_DIGITS]
        number += 1


def _cut(lines: Sequence[str], max_bytes: int) -> tuple[list[str], int]:
    sizes = [len(line.encode()) + 1 for line in lines]
    if sum(sizes) <= max_bytes:
        return list(lines), 0
    head = _fitting(sizes, max_bytes // 3)
    rest = max_bytes - sum(sizes[:head]) - _LINE_FRAME
    tail = _fitting(sizes[head:][::-1], rest)
    left_out = len(lines) - head - tail
    said = _json({"left_out_messages": left_out, "from": head + 1, "to": head + left_out})
    return [*lines[:head], said, *lines[len(lines) - tail :]], left_out


def _fitting(sizes: Sequence[int], room: int) -> int:
    """How many of the first fit."""
    for count, size in enumerate(sizes):
        room -= size
        if room < 0:
            return count
    return len(sizes)


def _line(number: int, message: SpokenMember, max_bytes: int) -> tuple[str, bool]:
    at = message.event_time.astimezone(UTC).isoformat(timespec="milliseconds")
    about = {"n": number, "at": at.replace("+00:00", "Z"), "role": message.role.value}
    text = message.content.text
    whole = _json({**about, "text": text})
    if len(whole.encode()) <= max_bytes:
        return whole, False
    begin, end = _ends(text, (max_bytes - _LINE_FRAME) // 2)
    left_out = len(text) - len(begin) - len(end)
    shortened = {"text": begin, "left_out_characters": left_out, "text_goes_on": end}
    return _json({**about, **shortened}), True


def _ends(text: str, half: int) -> tuple[str, str]:
    """The beginning and the end of a text, each of at most `half` bytes once it is in JSON."""
    begin = _within(text[:half], half)
    end = _within(text[len(begin) :][::-1][:half], half)
    return begin, end[::-1]


def _within(text: str, room: int) -> str:
    """The longest beginning that takes no more than `room` bytes in JSON."""
    longer = bisect_right(range(len(text) + 1), room, key=lambda count: _size(text[:count]))
    return text[: longer - 1]


def _size(text: str) -> int:
    # Without the quotation marks.
    return len(_json(text).encode()) - 2


def _json(value: object) -> str:
    text = _ENCODER.encode(value)
    # Most have nothing to be escaped, and to see that is faster than to look at each character.
    return text if text.isascii() and "\x7f" not in text else text.translate(_ESCAPED)
