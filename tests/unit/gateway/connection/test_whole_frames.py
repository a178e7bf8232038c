"""Frames read without the library are the ones that the library would have read."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from services.gateway.connection.whole_frames import read_text, text_frame

MAX_BYTES = 70_000


def masked(text: bytes, opcode: Opcode = Opcode.TEXT, *, is_final: bool = True) -> bytes:
    return Frame(opcode, text, fin=is_final).serialize(mask=True)


def by_the_library(data: bytes) -> Sequence[Frame]:
    protocol = ServerProtocol(state=OPEN, max_size=MAX_BYTES)
    protocol.receive_data(data)
    return [one for one in protocol.events_received() if isinstance(one, Frame)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 400, 65_535])
def test_a_whole_text_is_read(size: int) -> None:
    text = "ü" * (size // 2) + "x" * (size % 2)
    assert read_text(masked(text.encode()), MAX_BYTES) == text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81",
        masked(b"hello")[:-1],
        masked(b"hello") + b"\x81",
        masked(b"hello") * 2,
        masked(b"hello", Opcode.BINARY),
        masked(b"hello", Opcode.PING),
        masked(b"hello", is_final=False),
        masked(b"hello", Opcode.CONT),
        masked(b"\xff\xfe"),
        masked(b"x" * (MAX_BYTES + 1)),
        masked(b"x" * 65_536),
        # A compressed one, which nobody agreed upon, and one that is not masked.
        b"\xc1" + masked(b"hello")[1:],
        text_frame(b"hello"),
        # 119 bytes whose size is written in 64 bits: as long as 127 in the short form would be.
        b"\x81\xff" + (119).to_bytes(8, "big") + bytes(4) + b"x" * 119,
        b"\x81\xfe\x00\x05",
    ],
    # Masks are random, and the names of tests are not.
    ids=lambda data: f"{len(data)} bytes",
)
def test_all_else_is_left_to_the_library(data: bytes) -> None:
    assert read_text(data, MAX_BYTES) is None


def test_a_text_larger_than_is_allowed_is_left_to_the_library() -> None:
    assert read_text(masked(b"x" * 100), 99) is None
    assert read_text(masked(b"x" * 100), 100) == "x" * 100


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"\x81\xfe" + tail))
def test_whatever_is_read_the_library_reads_the_same(data: bytes) -> None:
    text = read_text(data, MAX_BYTES)
    if text is not None:
        [frame] = by_the_library(data)
        assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, text.encode())


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 66_000])
def test_a_text_is_written_as_the_library_writes_it(size: int) -> None:
    assert text_frame(b"x" * size) == Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)
