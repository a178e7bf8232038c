"""Lines of the spool, and the files of a folder."""

from pathlib import Path

from parley.client.sending import Outgoing, outgoing
from parley.client.spool.records import SpooledSession, frame_line

SESSION = SpooledSession("h", "c", "me", "u", "demo", '{"a":1}')


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def line(number: int, text: str = "hello\t\n\0") -> tuple[bytes, Outgoing]:
    frame = outgoing("ai_response", f"run-{number}", {"text": text})
    return frame_line(SESSION.encode(), frame, is_end=False), frame
