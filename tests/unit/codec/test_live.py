"""Live frames survive the wire as they are."""

from datetime import UTC, datetime

import pytest

from parley.codec import InvalidRecord, decode_live, encode_live
from parley.events import Role
from parley.live import InterimTranscript, LiveBody, LiveFrame, Presence, SpeechEvent, SpeechKind

AT = datetime(2026, 1, 31, 12, 0, 0, 123_456, UTC)


@pytest.mark.parametrize(
    "body",
    [
        InterimTranscript("u", 7, Role.USER, "hel", "en"),
        *(SpeechEvent(kind, Role.ASSISTANT, "u") for kind in SpeechKind),
        Presence(3),
        Presence(0),
    ],
)
def test_a_live_frame_comes_back_as_it_went(body: LiveBody) -> None:
    frame = LiveFrame("t", "c", "g", AT, body, "s", "u", "sender", "client", "connection")
    assert decode_live(encode_live(frame)) == frame


@pytest.mark.parametrize("value", [None, b"", b"\xff\xff\xff"])
def test_what_is_no_live_frame_is_refused(value: bytes | None) -> None:
    with pytest.raises(InvalidRecord):
        decode_live(value)
