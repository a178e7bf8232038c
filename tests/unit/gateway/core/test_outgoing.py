"""Acknowledgements, which are written by hand, say what every other frame would."""

from datetime import UTC, datetime

import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.core.outgoing import ack_text, frame_text

AT_MS = st.integers(0, 4_000_000_000_000)
# What no frame can bring, since it comes as UTF-8.
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(IDS, AT_MS)
def test_an_acknowledgement_is_the_frame_that_it_stands_for(frame_id: str, at_ms: int) -> None:
    payload = {"id": frame_id, "event_id": "e", "position": "p"}
    at = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    wanted = frame_text("ack", payload, at, frame_id=frame_id, position="p")
    assert ack_text(frame_id, "e", "p", at_ms).decode() == wanted
    assert orjson.loads(wanted)["ts"] == at.isoformat(timespec="milliseconds")
