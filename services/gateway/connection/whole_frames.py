"""The two WebSocket frames of which there are many: a whole text in, and one out (RFC 6455)."""

from struct import Struct
from typing import Final

# In C where the library was built with it.
from websockets.frames import apply_mask  # type: ignore[attr-defined]

_TEXT: Final = 0x81  # the only frame of its message, and it is text; no extension
_MASKED: Final = 0x80
_IN_16_BITS: Final = 126
_IN_64_BITS: Final = 127
_MASK_BYTES: Final = 4
_SHORT_HEAD: Final = 2
_LONG_HEAD: Final = 4
_MEDIUM: Final = 65_536
_MEDIUM_HEAD: Final = Struct(">BBH")


def read_text(data: bytes, max_bytes: int) -> str | None:
    """The text of `data` if that is exactly one frame as clients send it; None for all else.

    What is None may be right or wrong: that is for the library to say.
    """
    if len(data) < _SHORT_HEAD + _MASK_BYTES or data[0] != _TEXT or data[1] < _MASKED:
        return None
    size, start = data[1] - _MASKED, _SHORT_HEAD
    if size == _IN_16_BITS:
        size, start = data[2] << 8 | data[3], _LONG_HEAD
    elif size == _IN_64_BITS:
        return None
    body = start + _MASK_BYTES
    if size > max_bytes or len(data) != body + size:
        return None
    try:
        text: str = apply_mask(data[body:], data[start:body]).decode()
    except UnicodeDecodeError:
        return None
    return text


def text_frame(text: bytes) -> bytes:
    """A whole text as a server sends it, unmasked."""
    size = len(text)
    if size < _IN_16_BITS:
        return bytes((_TEXT, size)) + text
    if size < _MEDIUM:
        return _MEDIUM_HEAD.pack(_TEXT, _IN_16_BITS, size) + text
    return bytes((_TEXT, _IN_64_BITS)) + size.to_bytes(8, "big") + text
